import * as aws from "@pulumi/aws";
import * as eks from "@pulumi/eks";
import * as pulumi from "@pulumi/pulumi";
import { eksKubeconfig } from "../core/kubeconfig.ts";
import { PRIVATE_RANGES } from "../core/network/cidr.ts";
import type { AddonVersions } from "../core/versions.ts";

/** Taint that keeps workloads off a node until Cilium runs there: Cilium would not know earlier pods (cilium#29405). Cilium removes it. */
const AGENT_NOT_READY = { key: "node.cilium.io/agent-not-ready", value: "true", effect: "NO_EXECUTE" };

export interface EksArgs {
    region: string;
    /** Partition in ARNs of the region: aws, aws-cn, aws-us-gov. */
    partition: string;
    assumeRole?: string | undefined;
    version: string;
    addons: AddonVersions;
    vpcId: pulumi.Input<string>;
    publicSubnetIds: pulumi.Input<string>[];
    privateSubnetIds: pulumi.Input<string>[];
    serviceCidr: string;
    /** Blocks that may reach the API server over the internet. Empty: none. */
    publicCidrs: string[];
    /** IAM roles or users that administer the cluster in addition to its creator. */
    admins: string[];
    logs: { types: string[]; retentionDays: number };
    /** Encrypts Kubernetes secrets and control-plane logs. */
    kmsKeyArn: pulumi.Input<string>;
    /** Largest packet, bytes. */
    mtu: number;
    nodeGroup: {
        architecture: "x86_64" | "arm64";
        instanceTypes: string[];
        min: number;
        desired: number;
        max: number;
        diskGiB: number;
        subnets: "private" | "public";
    };
}

/** What the resources of a cluster have in common. */
interface EksContext {
    name: string;
    args: EksArgs;
    parent: Eks;
}

/** An EKS cluster whose nodes wait for Cilium, and whose VPC CNI does not translate pod addresses within the mesh. */
export class Eks extends pulumi.ComponentResource {
    readonly clusterArn: pulumi.Output<string>;
    /** Secret. */
    readonly kubeconfig: pulumi.Output<string>;
    /** The security group that EKS creates. Nodes and pods have it, and no Pulumi resource claims all its rules, so other stacks can add rules. */
    readonly nodeSecurityGroupId: pulumi.Output<string>;
    readonly autoscalingGroupName: pulumi.Output<string>;
    /** Workloads must wait for it and for Cilium. */
    readonly nodeGroup: aws.eks.NodeGroup;
    readonly cluster: eks.Cluster;

    constructor(name: string, args: EksArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Eks", name, {}, opts);
        const context: EksContext = { name, args, parent: this };

        const logs = controlPlaneLogs(context);
        this.cluster = controlPlane(context, logs, opts?.providers);
        this.nodeGroup = nodes(context, this.cluster);

        const { arn, endpoint, certificateAuthority, vpcConfig } = this.cluster.eksCluster;
        this.clusterArn = arn;
        this.kubeconfig = pulumi.secret(
            pulumi.all([endpoint, certificateAuthority]).apply(([server, ca]) =>
                eksKubeconfig({
                    clusterName: name,
                    endpoint: server,
                    certificateAuthority: ca.data,
                    region: args.region,
                    roleArn: args.assumeRole,
                }),
            ),
        );
        this.nodeSecurityGroupId = vpcConfig.clusterSecurityGroupId;
        this.autoscalingGroupName = this.nodeGroup.resources.apply((resources) => resources[0]?.autoscalingGroups?.[0]?.name ?? "");
        this.registerOutputs({ clusterArn: this.clusterArn });
    }
}

/** Created before the cluster: EKS would create it with unlimited retention and leave it behind at destroy. */
function controlPlaneLogs({ name, args, parent }: EksContext): aws.cloudwatch.LogGroup {
    return new aws.cloudwatch.LogGroup(
        `${name}-control-plane`,
        { name: `/aws/eks/${name}/cluster`, retentionInDays: args.logs.retentionDays, kmsKeyId: args.kmsKeyArn },
        { parent },
    );
}

function controlPlane(
    { name, args, parent }: EksContext,
    logs: aws.cloudwatch.LogGroup,
    providers: pulumi.ComponentResourceOptions["providers"],
): eks.Cluster {
    return new eks.Cluster(
        name,
        {
            name,
            version: args.version,
            vpcId: args.vpcId,
            publicSubnetIds: args.publicSubnetIds,
            privateSubnetIds: args.privateSubnetIds,
            kubernetesServiceIpAddressRange: args.serviceCidr,
            authenticationMode: eks.AuthenticationMode.Api,
            accessEntries: Object.fromEntries(args.admins.map((principalArn) => [principalArn, adminEntry(principalArn, args.partition)])),
            endpointPrivateAccess: true,
            // Explicit even where it is the default: only then does the component wait until the API server responds.
            endpointPublicAccess: args.publicCidrs.length > 0,
            ...(args.publicCidrs.length > 0 && { publicAccessCidrs: args.publicCidrs }),
            encryptionConfigKeyArn: args.kmsKeyArn,
            enabledClusterLogTypes: args.logs.types,
            // EXTENDED, AWS's default, costs six times as much once standard support ends.
            upgradePolicy: { supportType: "STANDARD" },
            // Nodes, roles and security groups are resources of this component, where their order and rules are visible.
            skipDefaultNodeGroup: true,
            skipDefaultSecurityGroups: true,
            createInstanceRole: false,
            createOidcProvider: false,
            // Never unset: the component would write the runner's AWS_PROFILE into the state.
            providerCredentialOpts: args.assumeRole ? { roleArn: args.assumeRole } : {},
            // Every network plugin and add-on is a pinned one, see below.
            bootstrapSelfManagedAddons: false,
            kubeProxyAddonOptions: { version: args.addons.kubeProxy },
            // CoreDNS needs nodes without the taint, so it comes after Cilium (stacks/cluster.ts); here it would wait forever.
            corednsAddonOptions: { enabled: false },
            vpcCniOptions: vpcCni(args),
        },
        // Providers are passed explicitly: the SDK passes a parent's providers on to resources, but not to a component in another process.
        { parent, dependsOn: logs, ...(providers && { providers }) },
    );
}

function nodeRole({ name, args, parent }: EksContext) {
    const role = new aws.iam.Role(
        `${name}-node`,
        { assumeRolePolicy: aws.iam.assumeRolePolicyForPrincipal({ Service: "ec2.amazonaws.com" }) },
        { parent },
    );
    const attachments = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"].map(
        (policy) =>
            new aws.iam.RolePolicyAttachment(
                `${name}-node-${policy}`,
                { role: role.name, policyArn: `arn:${args.partition}:iam::aws:policy/${policy}` },
                { parent },
            ),
    );
    return { role, attachments };
}

function launchTemplate({ name, args, parent }: EksContext): aws.ec2.LaunchTemplate {
    return new aws.ec2.LaunchTemplate(
        `${name}-node`,
        {
            // One hop: pods cannot use the node's credentials (CKV_AWS_79, CKV_AWS_341).
            metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
            blockDeviceMappings: [
                {
                    deviceName: "/dev/xvda",
                    ebs: { volumeSize: args.nodeGroup.diskGiB, volumeType: "gp3", encrypted: "true", deleteOnTermination: "true" },
                },
            ],
            tagSpecifications: [{ resourceType: "instance", tags: { Name: `${name}-node` } }],
            updateDefaultVersion: true,
        },
        { parent },
    );
}

function nodes({ name, args, parent }: EksContext, cluster: eks.Cluster): aws.eks.NodeGroup {
    const { role, attachments } = nodeRole({ name, args, parent });
    const template = launchTemplate({ name, args, parent });
    const { architecture, instanceTypes, min, desired, max, subnets } = args.nodeGroup;
    return new aws.eks.NodeGroup(
        `${name}-node`,
        {
            clusterName: cluster.eksCluster.name,
            nodeRoleArn: role.arn,
            subnetIds: subnets === "private" ? args.privateSubnetIds : args.publicSubnetIds,
            amiType: architecture === "arm64" ? "AL2023_ARM_64_STANDARD" : "AL2023_x86_64_STANDARD",
            instanceTypes,
            scalingConfig: { minSize: min, desiredSize: desired, maxSize: max },
            updateConfig: { maxUnavailable: 1 },
            launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
            taints: [AGENT_NOT_READY],
            version: args.version,
        },
        {
            parent,
            // The component includes the VPC CNI add-on: nodes that start without it never become ready (terraform-aws-eks#3446).
            dependsOn: [cluster, ...attachments],
            ignoreChanges: ["scalingConfig.desiredSize"],
        },
    );
}

/** Disables source NAT within the mesh: a packet with the node's source address has no pod identity for the peer. */
function vpcCni({ addons, mtu, nodeGroup }: EksArgs) {
    const prefixes = { enablePrefixDelegation: true, warmPrefixTarget: 1 };
    // Private nodes reach the internet through NAT gateways, which translate addresses themselves. Public nodes need the node's address on the internet, but not
    // towards peers: all private ranges are excluded, so a cluster that joins changes nothing here.
    return nodeGroup.subnets === "private"
        ? { addonVersion: addons.vpcCni, ...prefixes, eniMtu: mtu, externalSnat: true }
        : {
              addonVersion: addons.vpcCni,
              ...prefixes,
              eniMtu: mtu,
              externalSnat: false,
              configurationValues: { env: { AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: PRIVATE_RANGES.join(",") } },
          };
}

function adminEntry(principalArn: string, partition: string) {
    return {
        principalArn,
        accessPolicies: {
            admin: {
                policyArn: `arn:${partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`,
                accessScope: { type: "cluster" },
            },
        },
    };
}
