import { createHash } from "node:crypto";
import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { eksKubeconfig } from "../../../../core/kubeconfig.ts";

/** Supported inputs. Others of the real component are rejected, not ignored, because the lab would not test what they do. */
export interface ClusterInputs {
    name?: pulumi.Input<string>;
    version?: pulumi.Input<string>;
    vpcId: pulumi.Input<string>;
    publicSubnetIds?: pulumi.Input<string[]>;
    privateSubnetIds?: pulumi.Input<string[]>;
    kubernetesServiceIpAddressRange?: pulumi.Input<string>;
    authenticationMode: "API";
    accessEntries?: Record<string, AccessEntry>;
    endpointPrivateAccess?: pulumi.Input<boolean>;
    endpointPublicAccess?: pulumi.Input<boolean>;
    publicAccessCidrs?: pulumi.Input<string[]>;
    encryptionConfigKeyArn?: pulumi.Input<string>;
    enabledClusterLogTypes?: pulumi.Input<string[]>;
    upgradePolicy?: pulumi.Input<aws.types.input.eks.ClusterUpgradePolicy>;
    skipDefaultNodeGroup: true;
    skipDefaultSecurityGroups: true;
    createInstanceRole: false;
    createOidcProvider: false;
    providerCredentialOpts?: pulumi.Input<{ roleArn?: string; profileName?: string }>;
    bootstrapSelfManagedAddons?: pulumi.Input<boolean>;
    kubeProxyAddonOptions: { version: string } & Conflicts;
    corednsAddonOptions: { enabled: false } & Conflicts;
    vpcCniOptions: VpcCniOptions;
}

interface Conflicts {
    resolveConflictsOnCreate?: string;
    resolveConflictsOnUpdate?: string;
}

interface AccessEntry {
    principalArn: string;
    type?: string;
    accessPolicies?: Record<string, { policyArn: string; accessScope: aws.types.input.eks.AccessPolicyAssociationAccessScope }>;
}

interface VpcCniOptions extends Conflicts {
    addonVersion: string;
    enablePrefixDelegation?: boolean;
    warmPrefixTarget?: number;
    eniMtu?: number;
    externalSnat?: boolean;
    configurationValues?: { env?: Record<string, string> };
}

const KNOWN_INPUTS: ReadonlySet<string> = new Set<keyof ClusterInputs>([
    "name",
    "version",
    "vpcId",
    "publicSubnetIds",
    "privateSubnetIds",
    "kubernetesServiceIpAddressRange",
    "authenticationMode",
    "accessEntries",
    "endpointPrivateAccess",
    "endpointPublicAccess",
    "publicAccessCidrs",
    "encryptionConfigKeyArn",
    "enabledClusterLogTypes",
    "upgradePolicy",
    "skipDefaultNodeGroup",
    "skipDefaultSecurityGroups",
    "createInstanceRole",
    "createOidcProvider",
    "providerCredentialOpts",
    "bootstrapSelfManagedAddons",
    "kubeProxyAddonOptions",
    "corednsAddonOptions",
    "vpcCniOptions",
]);

/** The lab's stand-in for `eks.Cluster` of @pulumi/eks 4.3: the same children with the same names and types, for the inputs that the program uses. */
export class SimulatedEksCluster extends pulumi.ComponentResource {
    readonly state: Record<string, pulumi.Input<unknown>>;

    constructor(name: string, inputs: ClusterInputs, opts: pulumi.ComponentResourceOptions) {
        super("eks:index:Cluster", name, {}, opts);
        const unsupported = Object.keys(inputs).filter((key) => !KNOWN_INPUTS.has(key));
        if (unsupported.length > 0) throw new Error(`the lab's stand-in for eks.Cluster does not support ${unsupported.join(", ")}`);

        const role = serviceRole(name, this);
        const cluster = controlPlane(name, inputs, role, this);
        const kubeconfig = kubeconfigOf(cluster, inputs);
        new kubernetes.Provider(`${name}-eks-k8s`, { kubeconfig }, { parent: this });
        addon(name, cluster, { addonName: "kube-proxy", addonVersion: inputs.kubeProxyAddonOptions.version }, this);
        vpcCniAddon(name, cluster, inputs, { parent: this, dependsOn: accessEntries(name, cluster, inputs, this) });

        const securityGroupId = cluster.vpcConfig.clusterSecurityGroupId;
        this.state = {
            kubeconfigJson: kubeconfig,
            kubeconfig: kubeconfig.apply(JSON.parse),
            clusterSecurityGroupId: securityGroupId,
            nodeSecurityGroupId: securityGroupId,
            eksCluster: cluster,
        };
        this.registerOutputs(this.state);
    }
}

interface ServiceRole {
    arn: pulumi.Output<string>;
    attachment: pulumi.Resource;
}

function serviceRole(name: string, parent: pulumi.Resource): ServiceRole {
    const component = new pulumi.ComponentResource("eks:index:ServiceRole", `${name}-eksRole`, {}, { parent });
    const role = new aws.iam.Role(
        `${name}-eksRole-role`,
        {
            description: "Allows EKS to manage clusters on your behalf.",
            assumeRolePolicy: aws.iam.assumeRolePolicyForPrincipal({ Service: "eks.amazonaws.com" }),
        },
        { parent: component },
    );
    const partition = aws.getPartitionOutput({}, { parent }).partition;
    const policy = "AmazonEKSClusterPolicy";
    const attachment = new aws.iam.RolePolicyAttachment(
        `${name}-eksRole-${sha1hash(`arn:aws:iam::aws:policy/${policy}`)}`,
        { policyArn: pulumi.interpolate`arn:${partition}:iam::aws:policy/${policy}`, role: role.name },
        { parent: component },
    );
    return { arn: role.arn, attachment };
}

function controlPlane(name: string, inputs: ClusterInputs, { arn, attachment }: ServiceRole, parent: pulumi.Resource): aws.eks.Cluster {
    const subnetIds = pulumi.all([inputs.publicSubnetIds ?? [], inputs.privateSubnetIds ?? []]).apply((ids) => ids.flat());
    return new aws.eks.Cluster(
        `${name}-eksCluster`,
        {
            name: inputs.name,
            roleArn: arn,
            version: inputs.version,
            bootstrapSelfManagedAddons: inputs.bootstrapSelfManagedAddons ?? true,
            vpcConfig: {
                subnetIds,
                endpointPrivateAccess: inputs.endpointPrivateAccess,
                endpointPublicAccess: inputs.endpointPublicAccess,
                publicAccessCidrs: inputs.publicAccessCidrs,
            },
            kubernetesNetworkConfig: { serviceIpv4Cidr: inputs.kubernetesServiceIpAddressRange, ipFamily: "ipv4" },
            enabledClusterLogTypes: inputs.enabledClusterLogTypes,
            ...(inputs.encryptionConfigKeyArn && {
                encryptionConfig: { provider: { keyArn: inputs.encryptionConfigKeyArn }, resources: ["secrets"] },
            }),
            accessConfig: { authenticationMode: inputs.authenticationMode, bootstrapClusterCreatorAdminPermissions: true },
            upgradePolicy: inputs.upgradePolicy,
            tags: { Name: `${name}-eksCluster` },
        },
        {
            parent,
            dependsOn: attachment,
            ignoreChanges: ["accessConfig.bootstrapClusterCreatorAdminPermissions", "bootstrapSelfManagedAddons"],
        },
    );
}

function kubeconfigOf({ name, endpoint, certificateAuthority, arn }: aws.eks.Cluster, inputs: ClusterInputs): pulumi.Output<string> {
    return pulumi
        .all([name, endpoint, certificateAuthority, arn, inputs.providerCredentialOpts ?? {}])
        .apply(([clusterName, endpoint, { data }, arn, { roleArn }]) =>
            eksKubeconfig({ clusterName, endpoint, certificateAuthority: data, region: arn.split(":")[3] ?? "", roleArn }),
        );
}

function accessEntries(name: string, cluster: aws.eks.Cluster, inputs: ClusterInputs, parent: pulumi.Resource): pulumi.Resource[] {
    return Object.entries(inputs.accessEntries ?? {}).flatMap(([key, { principalArn, type, accessPolicies = {} }]) => {
        const entry = new aws.eks.AccessEntry(`${name}-${key}`, { clusterName: cluster.name, principalArn, type }, { parent });
        const associations = Object.entries(accessPolicies).map(
            ([policy, { policyArn, accessScope }]) =>
                new aws.eks.AccessPolicyAssociation(
                    `${name}-${key}-${policy}`,
                    { clusterName: cluster.name, principalArn, policyArn, accessScope },
                    { parent, dependsOn: entry },
                ),
        );
        return [entry, ...associations];
    });
}

function vpcCniAddon(
    name: string,
    cluster: aws.eks.Cluster,
    { vpcCniOptions }: ClusterInputs,
    opts: pulumi.ComponentResourceOptions,
): void {
    const component = new pulumi.ComponentResource("eks:index:VpcCniAddon", `${name}-vpc-cni`, {}, opts);
    const configurationValues = JSON.stringify(vpcCniConfiguration(vpcCniOptions));
    addon(name, cluster, { addonName: "vpc-cni", addonVersion: vpcCniOptions.addonVersion, configurationValues }, component);
}

function addon(
    name: string,
    cluster: aws.eks.Cluster,
    args: { addonName: string; addonVersion: string; configurationValues?: string },
    parent: pulumi.Resource,
): void {
    new aws.eks.Addon(
        `${name}-${args.addonName}`,
        {
            clusterName: cluster.name,
            ...args,
            preserve: true,
            resolveConflictsOnCreate: "OVERWRITE",
            resolveConflictsOnUpdate: "OVERWRITE",
        },
        { parent },
    );
}

/** The add-on configuration that the component derives (nodejs/eks/addons/cni-addon.ts): its defaults, then the options, then the user's `env`. */
function vpcCniConfiguration({
    enablePrefixDelegation,
    warmPrefixTarget,
    eniMtu,
    externalSnat,
    configurationValues,
}: VpcCniOptions): object {
    const env = {
        AWS_VPC_K8S_CNI_LOGLEVEL: "DEBUG",
        AWS_VPC_K8S_CNI_LOG_FILE: "/host/var/log/aws-routed-eni/ipamd.log",
        AWS_VPC_K8S_CNI_VETHPREFIX: "eni",
        AWS_VPC_ENI_MTU: String(eniMtu ?? 9001),
        AWS_VPC_K8S_PLUGIN_LOG_LEVEL: "DEBUG",
        AWS_VPC_K8S_PLUGIN_LOG_FILE: "/var/log/aws-routed-eni/plugin.log",
        ENABLE_POD_ENI: "false",
        AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "false",
        AWS_VPC_K8S_CNI_EXTERNALSNAT: String(externalSnat ?? false),
        ...(warmPrefixTarget && { WARM_PREFIX_TARGET: String(warmPrefixTarget) }),
        ...(enablePrefixDelegation && { ENABLE_PREFIX_DELEGATION: "true" }),
        ...configurationValues?.env,
    };
    return { ...configurationValues, env, init: { env: { DISABLE_TCP_EARLY_DEMUX: "false" } } };
}

function sha1hash(text: string): string {
    return createHash("sha1").update(text).digest("hex").slice(0, 8);
}
