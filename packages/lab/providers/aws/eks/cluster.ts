import type * as aws from "@pulumi/aws";
import {
    type Context,
    type Plain,
    pendingState,
    type ResourceDefinition,
    type Tagging,
    type UpdateArgs,
    waitForDeletion,
} from "../definition.ts";

type ClusterArgs = Plain<aws.eks.ClusterArgs>;
type ClusterState = Plain<aws.eks.ClusterState>;

const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/** Tagging of EKS resources, by ARN. */
export const eksTagging: Tagging = {
    set: ({ api }, _id, tags, { arn = "" }) => api.eks.tagResource({ resourceArn: arn, tags }),
    unset: ({ api }, _id, tagKeys, { arn = "" }) => api.eks.untagResource({ resourceArn: arn, tagKeys }),
};

async function find({ api }: Context, name: string) {
    return (await api.eks.describeCluster({ name })).cluster;
}

function logging(types: readonly string[] = []) {
    const all = [
        { types: LOG_TYPES.filter((type) => types.includes(type)), enabled: true },
        { types: LOG_TYPES.filter((type) => !types.includes(type)), enabled: false },
    ];
    return { clusterLogging: all.filter(({ types }) => types.length > 0) };
}

/** Starts an update and waits for it, because EKS rejects a second update of the same cluster. */
export async function waitForUpdate(
    context: Context,
    ref: { name: string; nodegroupName?: string; addonName?: string },
    start: () => Promise<{ update: { id: string } }>,
): Promise<void> {
    const { update } = await start();
    const what = [ref.name, ref.nodegroupName ?? ref.addonName ?? []].flat().join(":");
    await context.waitFor(`update of EKS ${what}`, "Successful", async () => {
        const current = (await context.api.eks.describeUpdate({ ...ref, updateId: update.id })).update;
        if (current.status === "Failed")
            throw new Error(current.errors.map(({ errorCode, errorMessage }) => `${errorCode}: ${errorMessage}`).join("; "));
        return pendingState(current.status, ["Successful"], ["InProgress"]);
    });
}

async function change(context: Context, name: string, { inputs, changed }: UpdateArgs<ClusterArgs, ClusterState>): Promise<void> {
    const { eks } = context.api;
    const { version, accessConfig, upgradePolicy, deletionProtection, vpcConfig, enabledClusterLogTypes } = inputs;
    const apply = (start: () => Promise<{ update: { id: string } }>) => waitForUpdate(context, { name }, start);
    if (changed("version") && version) await apply(() => eks.updateClusterVersion({ name, version }));
    const mode = accessConfig?.authenticationMode;
    if (changed("accessConfig") && mode)
        await apply(() => eks.updateClusterConfig({ name, accessConfig: { authenticationMode: mode as "API" } }));
    if (changed("upgradePolicy"))
        await apply(() => eks.updateClusterConfig({ name, upgradePolicy: { supportType: upgradePolicy?.supportType ?? "EXTENDED" } }));
    if (changed("deletionProtection"))
        await apply(() => eks.updateClusterConfig({ name, deletionProtection: deletionProtection ?? false }));
    if (changed("enabledClusterLogTypes")) await apply(() => eks.updateClusterConfig({ name, logging: logging(enabledClusterLogTypes) }));
    if (changed("vpcConfig")) {
        const { endpointPrivateAccess, endpointPublicAccess, publicAccessCidrs, subnetIds, securityGroupIds } = vpcConfig;
        const current = (await find(context, name)).resourcesVpcConfig;
        const sorted = (list: readonly string[] = []) => list.toSorted().join();
        // EKS takes subnets and endpoint access as two separate updates.
        if (sorted(current.subnetIds) !== sorted(subnetIds) || sorted(current.securityGroupIds) !== sorted(securityGroupIds))
            await apply(() =>
                eks.updateClusterConfig({ name, resourcesVpcConfig: { subnetIds, securityGroupIds: securityGroupIds ?? [] } }),
            );
        const wanted = {
            endpointPrivateAccess: endpointPrivateAccess ?? false,
            endpointPublicAccess: endpointPublicAccess ?? true,
            ...(publicAccessCidrs && { publicAccessCidrs }),
        };
        const differs =
            current.endpointPrivateAccess !== wanted.endpointPrivateAccess ||
            current.endpointPublicAccess !== wanted.endpointPublicAccess ||
            (publicAccessCidrs && sorted(current.publicAccessCidrs) !== sorted(publicAccessCidrs));
        if (differs) await apply(() => eks.updateClusterConfig({ name, resourcesVpcConfig: wanted }));
    }
}

export const cluster: ResourceDefinition<ClusterArgs, ClusterState> = {
    noun: "EKS Cluster",
    forceNew: [
        "name",
        "roleArn",
        "bootstrapSelfManagedAddons",
        "encryptionConfig",
        "outpostConfig",
        "kubernetesNetworkConfig.serviceIpv4Cidr",
        "kubernetesNetworkConfig.ipFamily",
        "accessConfig.bootstrapClusterCreatorAdminPermissions",
    ],
    defaults: { bootstrapSelfManagedAddons: true },
    unreadable: ["bootstrapSelfManagedAddons", "defaultAddonsToRemoves", "forceUpdateVersion"],
    autoName: "name",
    computed: [
        "accessConfig",
        "arn",
        "certificateAuthority",
        "clusterId",
        "createdAt",
        "endpoint",
        "identities",
        "kubernetesNetworkConfig",
        "platformVersion",
        "status",
        "upgradePolicy",
        "version",
        "vpcConfig.clusterSecurityGroupId",
        "vpcConfig.vpcId",
    ],
    tagging: eksTagging,
    timeoutMinutes: 60,
    find: {
        byMark: async (context, { name = "" }) => {
            const { tags, status } = await find(context, name);
            return tags[context.mark.key] === context.mark.value && status !== "DELETING" ? [name] : [];
        },
    },
    create: async ({ api, tags }, inputs) => {
        const { name = "", vpcConfig, encryptionConfig, accessConfig, kubernetesNetworkConfig, upgradePolicy } = inputs;
        const { subnetIds, securityGroupIds, endpointPrivateAccess, endpointPublicAccess, publicAccessCidrs } = vpcConfig;
        const created = await api.eks.createCluster({
            name,
            roleArn: inputs.roleArn,
            version: inputs.version,
            resourcesVpcConfig: { subnetIds, securityGroupIds, endpointPrivateAccess, endpointPublicAccess, publicAccessCidrs },
            bootstrapSelfManagedAddons: inputs.bootstrapSelfManagedAddons,
            deletionProtection: inputs.deletionProtection,
            tags,
            ...(kubernetesNetworkConfig && {
                kubernetesNetworkConfig: {
                    serviceIpv4Cidr: kubernetesNetworkConfig.serviceIpv4Cidr,
                    ipFamily: kubernetesNetworkConfig.ipFamily,
                },
            }),
            ...(inputs.enabledClusterLogTypes && { logging: logging(inputs.enabledClusterLogTypes) }),
            ...(encryptionConfig && { encryptionConfig: [encryptionConfig] }),
            ...(accessConfig && {
                accessConfig: {
                    authenticationMode: accessConfig.authenticationMode as "API",
                    bootstrapClusterCreatorAdminPermissions: accessConfig.bootstrapClusterCreatorAdminPermissions,
                },
            }),
            ...(upgradePolicy && { upgradePolicy }),
        });
        return created.cluster.name;
    },
    reconcile: (context, name) =>
        context.waitFor(`EKS Cluster (${name})`, "ACTIVE", async () => {
            const { status, health } = await find(context, name);
            return pendingState(status, ["ACTIVE"], ["CREATING", "UPDATING"], health.issues.map(({ message }) => message).join("; "));
        }),
    read: async (context, id) => {
        const found = await find(context, id);
        if (found.status === "DELETING") return undefined;
        const { subnetIds, securityGroupIds, endpointPrivateAccess, endpointPublicAccess, publicAccessCidrs } = found.resourcesVpcConfig;
        const logged = found.logging.clusterLogging.filter(({ enabled }) => enabled).flatMap(({ types }) => types);
        return {
            arn: found.arn,
            name: found.name,
            version: found.version,
            platformVersion: found.platformVersion,
            status: found.status,
            createdAt: found.createdAt,
            roleArn: found.roleArn,
            endpoint: found.endpoint,
            certificateAuthority: found.certificateAuthority,
            identities: [{ oidcs: [{ issuer: found.identity.oidc.issuer }] }],
            vpcConfig: {
                subnetIds,
                securityGroupIds,
                endpointPrivateAccess,
                endpointPublicAccess,
                publicAccessCidrs,
                vpcId: found.resourcesVpcConfig.vpcId,
                clusterSecurityGroupId: found.resourcesVpcConfig.clusterSecurityGroupId,
            },
            kubernetesNetworkConfig: found.kubernetesNetworkConfig,
            ...(found.encryptionConfig?.[0] && { encryptionConfig: found.encryptionConfig[0] }),
            accessConfig: found.accessConfig,
            upgradePolicy: found.upgradePolicy,
            deletionProtection: found.deletionProtection,
            enabledClusterLogTypes: logged,
            tags: found.tags,
        };
    },
    update: change,
    delete: async (context, name) => {
        if ((await find(context, name)).status !== "DELETING") await context.api.eks.deleteCluster({ name });
        await waitForDeletion(context, `EKS Cluster (${name})`, [], async () => (await find(context, name)).status);
    },
};
