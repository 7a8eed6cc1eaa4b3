import { createInterface } from "../ec2/interfaces.ts";
import { createGroup } from "../ec2/security-groups/groups.ts";
import { authorize } from "../ec2/security-groups/rules.ts";
import type { Subnet } from "../ec2/tables.ts";
import { addTags } from "../ec2/tags.ts";
import { AwsError } from "../error.ts";
import type { Quota, Scope } from "../scope.ts";
import { CLUSTER_ADMIN, putEntry } from "./access.ts";
import {
    checkEncryption,
    checkEndpoint,
    checkGroups,
    checkRole,
    checkVersion,
    clusterSubnets,
    DEFAULT_VERSION,
    fullLogging,
    serviceCidr,
} from "./cluster-checks.ts";
import { startJob } from "./jobs.ts";
import {
    type AuthenticationMode,
    addons,
    type Cluster,
    clusters,
    type EncryptionConfig,
    inUse,
    invalid,
    limitExceeded,
    needCluster,
    nodegroups,
    shown,
    type Tags,
    type VpcConfig,
} from "./tables.ts";
import { clusterUpdateActions } from "./updates.ts";

export const CLUSTERS_PER_REGION: Quota = { code: "L-1194D53C", default: 100 };

/** How long AWS takes, in milliseconds. */
const CREATION = 8 * 60_000;
const DELETION = 3 * 60_000;

export interface CreateCluster {
    name: string;
    roleArn: string;
    version?: string;
    resourcesVpcConfig: Partial<VpcConfig>;
    kubernetesNetworkConfig?: { serviceIpv4Cidr?: string; ipFamily?: string };
    logging?: Cluster["logging"];
    encryptionConfig?: EncryptionConfig[];
    accessConfig?: { authenticationMode?: AuthenticationMode; bootstrapClusterCreatorAdminPermissions?: boolean };
    upgradePolicy?: { supportType?: string };
    deletionProtection?: boolean;
    bootstrapSelfManagedAddons?: boolean;
    tags?: Tags;
}

/** The actions on clusters. */
export const clusterActions = (scope: Scope) => {
    const rows = clusters.in(scope);

    return {
        ...clusterUpdateActions(scope),

        createCluster: (request: CreateCluster) => {
            const { name, version = DEFAULT_VERSION, roleArn, encryptionConfig, accessConfig, tags = {} } = request;
            if (!/^[0-9A-Za-z][\w-]{0,99}$/.test(name))
                throw invalid(
                    `The cluster name '${name}' is invalid: it must match ^[0-9A-Za-z][A-Za-z0-9-_]* and have at most 100 characters`,
                );
            if (rows.get(name)) throw inUse(`Cluster already exists with name: ${name}`);
            if (rows.list().length >= scope.quota(CLUSTERS_PER_REGION))
                throw limitExceeded(`Cannot exceed quota for Clusters: ${scope.quota(CLUSTERS_PER_REGION)}`);
            checkVersion(version);
            checkRole(scope, roleArn, "eks.amazonaws.com");
            const requested = request.resourcesVpcConfig;
            const subnets = clusterSubnets(scope, name, requested.subnetIds ?? []);
            const vpcId = subnets[0]?.VpcId ?? "";
            const config: VpcConfig = {
                subnetIds: subnets.map(({ SubnetId }) => SubnetId),
                securityGroupIds: requested.securityGroupIds ?? [],
                endpointPublicAccess: requested.endpointPublicAccess ?? true,
                endpointPrivateAccess: requested.endpointPrivateAccess ?? false,
                publicAccessCidrs: requested.publicAccessCidrs ?? (requested.endpointPublicAccess === false ? [] : ["0.0.0.0/0"]),
            };
            checkGroups(scope, config.securityGroupIds, vpcId);
            checkEndpoint(config);
            checkEncryption(scope, encryptionConfig ?? []);
            const serviceIpv4Cidr = serviceCidr(scope, vpcId, request.kubernetesNetworkConfig?.serviceIpv4Cidr);
            const logging = fullLogging(request.logging);

            const clusterSecurityGroupId = createClusterGroup(scope, name, vpcId);
            const creatorIsAdmin = accessConfig?.bootstrapClusterCreatorAdminPermissions ?? true;
            const cluster = rows.put(name, {
                name,
                arn: scope.arn("eks", `cluster/${name}`),
                createdAt: scope.now.toISOString(),
                version,
                platformVersion: "eks.1",
                status: "CREATING",
                roleArn,
                identity: { oidc: { issuer: `https://oidc.eks.${scope.region}.amazonaws.com/id/${scope.hex(32).toUpperCase()}` } },
                resourcesVpcConfig: { ...config, vpcId, clusterSecurityGroupId },
                kubernetesNetworkConfig: { serviceIpv4Cidr, ipFamily: "ipv4", elasticLoadBalancing: { enabled: false } },
                logging,
                ...(encryptionConfig && { encryptionConfig }),
                accessConfig: {
                    authenticationMode: accessConfig?.authenticationMode ?? "CONFIG_MAP",
                    bootstrapClusterCreatorAdminPermissions: creatorIsAdmin,
                },
                upgradePolicy: { supportType: request.upgradePolicy?.supportType ?? "EXTENDED" },
                deletionProtection: request.deletionProtection ?? false,
                health: { issues: [] },
                tags,
                own: {
                    interfaces: createControlPlaneInterfaces(scope, name, subnets, [...config.securityGroupIds, clusterSecurityGroupId]),
                },
            });
            if (creatorIsAdmin && cluster.accessConfig.authenticationMode !== "CONFIG_MAP")
                putEntry(scope, { clusterName: name, principalArn: creator(scope) }, [CLUSTER_ADMIN]);
            startJob(scope, { kind: "createCluster", cluster: name }, CREATION);
            return { cluster: shown(cluster) };
        },

        describeCluster: ({ name }: { name: string }) => ({ cluster: shown(needCluster(scope, name)) }),
        listClusters: () => ({ clusters: rows.list().map(({ name }) => name) }),

        deleteCluster: ({ name }: { name: string }) => {
            const cluster = needCluster(scope, name);
            if (cluster.deletionProtection)
                throw new AwsError("InvalidRequestException", `Cluster '${name}' cannot be deleted: it has deletion protection enabled`);
            if (
                nodegroups
                    .in(scope)
                    .list()
                    .some(({ clusterName }) => clusterName === name)
            )
                throw inUse("Cluster has nodegroups attached");
            if (!["ACTIVE", "FAILED"].includes(cluster.status))
                throw inUse(`Cluster '${name}' cannot be deleted: it is in status ${cluster.status}`);
            for (const { clusterName, addonName } of addons.in(scope).list())
                if (clusterName === name) addons.in(scope).update(`${name}/${addonName}`, { status: "DELETING" });
            startJob(scope, { kind: "deleteCluster", cluster: name }, DELETION);
            return { cluster: shown(rows.update(name, { status: "DELETING" })) };
        },
    };
};

/** Creates the cluster security group, shared by the control plane and all nodes. Its members can reach each other. */
function createClusterGroup(scope: Scope, name: string, VpcId: string): string {
    const GroupName = `eks-cluster-sg-${name}-${parseInt(scope.hex(7), 16)}`;
    const Description =
        "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.";
    const { GroupId } = createGroup(scope, { GroupName, Description, VpcId });
    authorize(scope, false, { GroupId, IpPermissions: [{ IpProtocol: "-1", UserIdGroupPairs: [{ GroupId }] }] });
    addTags(scope, GroupId, [
        { Key: "Name", Value: GroupName },
        { Key: `kubernetes.io/cluster/${name}`, Value: "owned" },
    ]);
    return GroupId;
}

/** Creates two interfaces, in two zones. Returns their IDs. */
function createControlPlaneInterfaces(scope: Scope, name: string, subnets: readonly Readonly<Subnet>[], Groups: string[]): string[] {
    const zones = [...Map.groupBy(subnets, ({ AvailabilityZone }) => AvailabilityZone).values()].slice(0, 2);
    return zones.flatMap(([first]) =>
        first
            ? createInterface(scope, { SubnetId: first.SubnetId, Groups, Description: `Amazon EKS ${name}`, RequesterId: "amazon-eks" })
                  .NetworkInterfaceId
            : [],
    );
}

/** ARN of the cluster's creator for its access entry: the role rather than its session. */
function creator(scope: Scope): string {
    const [, name] = /:assumed-role\/([^/]+)\//.exec(scope.principal) ?? [];
    return name === undefined ? scope.principal : `arn:${scope.partition}:iam::${scope.account}:role/${name}`;
}
