import * as aws from "@pulumi/aws";
import * as eks from "@pulumi/eks";
import * as pulumi from "@pulumi/pulumi";
import { eksKubeconfig } from "../core/kubeconfig.ts";
import { PRIVATE_RANGES } from "../core/network/cidr.ts";
import type { AddonVersions } from "../core/versions.ts";

/** Keeps workloads off a node until Cilium runs there: pods from before would be unknown to it (cilium#29405). Cilium takes it away itself. */
const AGENT_NOT_READY = { key: "node.cilium.io/agent-not-ready", value: "true", effect: "NO_EXECUTE" };

export interface EksArgs {
    region: string;
    /** First part of AWS's own ARNs there: aws, aws-cn, aws-us-gov. */
    partition: string;
    assumeRole?: string | undefined;
    version: string;
    addons: AddonVersions;
    vpcId: pulumi.Input<string>;
    publicSubnetIds: pulumi.Input<string>[];
    privateSubnetIds: pulumi.Input<string>[];
    serviceCidr: string;
    /** From where the API server can be reached over the internet. None: not at all. */
    publicCidrs: string[];
    /** IAM roles or users that administer the cluster besides its maker. */
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

/** An EKS cluster whose nodes wait for Cilium, and whose VPC CNI leaves pods their addresses. */
export class Eks extends pulumi.ComponentResource {
    readonly clusterArn: pulumi.Output<string>;
    /** Secret. */
    readonly kubeconfig: pulumi.Output<string>;
    /** The group that EKS made: nodes and pods have it, and no Pulumi resource claims all its rules, so that other stacks may add some. */
    readonly nodeSecurityGroupId: pulumi.Output<string>;
    readonly autoscalingGroupName: pulumi.Output<string>;
    /** What a workload of the cluster must wait for beside the network plugin. */
    readonly nodeGroup: aws.eks.NodeGroup;
    readonly cluster: eks.Cluster;

    constructor(name: string, args: EksArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:Eks", name, {}, opts);
        const parent = this;

        const logs = controlPlaneLogs();
        this.cluster = controlPlane(logs);
        this.nodeGroup = nodes(this.cluster, nodeRole(), launchTemplate());

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
        this.autoscalingGroupName = this.nodeGroup.resources.apply((made) => made[0]?.autoscalingGroups?.[0]?.name ?? "");
        this.registerOutputs({ clusterArn: this.clusterArn });

        /** Made before the cluster: EKS would make it without an end to its retention, and leave it behind at destroy. */
        function controlPlaneLogs() {
            return new aws.cloudwatch.LogGroup(
                `${name}-control-plane`,
                { name: `/aws/eks/${name}/cluster`, retentionInDays: args.logs.retentionDays, kmsKeyId: args.kmsKeyArn },
                { parent },
            );
        }

        function controlPlane(logs: aws.cloudwatch.LogGroup) {
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
                    accessEntries: Object.fromEntries(
                        args.admins.map((principalArn) => [principalArn, adminEntry(principalArn, args.partition)]),
                    ),
                    endpointPrivateAccess: true,
                    // Said explicitly even where it is the default: only then does the component wait until the API server answers.
                    endpointPublicAccess: args.publicCidrs.length > 0,
                    ...(args.publicCidrs.length > 0 && { publicAccessCidrs: args.publicCidrs }),
                    encryptionConfigKeyArn: args.kmsKeyArn,
                    enabledClusterLogTypes: args.logs.types,
                    // EXTENDED, AWS's default, costs six times as much once standard support ends.
                    upgradePolicy: { supportType: "STANDARD" },
                    // Nodes, roles and security groups are made here, where their order and rules can be seen.
                    skipDefaultNodeGroup: true,
                    skipDefaultSecurityGroups: true,
                    createInstanceRole: false,
                    createOidcProvider: false,
                    // Never unset: the component would write the runner's AWS_PROFILE into the state.
                    providerCredentialOpts: args.assumeRole ? { roleArn: args.assumeRole } : {},
                    // Every network plugin and add-on is one of the pinned ones below.
                    bootstrapSelfManagedAddons: false,
                    kubeProxyAddonOptions: { version: args.addons.kubeProxy },
                    // Waits for nodes that admit it, so it comes after Cilium (stacks/cluster.ts); here it would wait for ever.
                    corednsAddonOptions: { enabled: false },
                    vpcCniOptions: vpcCni(args),
                },
                // Providers are named again: the SDK hands a parent's on to its own resources, not to a component in another process.
                { parent, dependsOn: logs, ...(opts?.providers && { providers: opts.providers }) },
            );
        }

        function nodeRole() {
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

        function launchTemplate() {
            return new aws.ec2.LaunchTemplate(
                `${name}-node`,
                {
                    // One hop: a pod cannot take the node's credentials (CKV_AWS_79, CKV_AWS_341).
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

        function nodes(cluster: eks.Cluster, { role, attachments }: ReturnType<typeof nodeRole>, template: aws.ec2.LaunchTemplate) {
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
                    // The component stands for the VPC CNI add-on too: nodes that start without it never get ready (terraform-aws-eks#3446).
                    dependsOn: [cluster, ...attachments],
                    ignoreChanges: ["scalingConfig.desiredSize"],
                },
            );
        }
    }
}

/** A source address that the VPC CNI has rewritten to the node's own is no pod to the peer, so nothing that stays in the mesh may be SNATed. */
function vpcCni({ addons, mtu, nodeGroup }: EksArgs) {
    const prefixes = { enablePrefixDelegation: true, warmPrefixTarget: 1 };
    // Private nodes reach the internet through NAT gateways, which translate by themselves. Public ones need the node's address there, but not on the way
    // to peers: all private ranges are left alone, so that a cluster that joins changes nothing.
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
