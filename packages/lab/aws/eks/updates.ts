import type { Scope } from "../scope.ts";
import { checkEndpoint, checkGroups, checkUpgrade, clusterSubnets, fullLogging } from "./cluster-checks.ts";
import { type Job, startJob } from "./jobs.ts";
import {
    type AuthenticationMode,
    type Cluster,
    clusters,
    inUse,
    invalid,
    needCluster,
    notFound,
    shown,
    type Update,
    updates,
    type VpcConfig,
} from "./tables.ts";

/** How long AWS takes, in milliseconds. */
const UPGRADE = 8 * 60_000;
const CHANGE = 2 * 60_000;

/** An authentication mode can only be changed to a later one in this list. */
const MODES: AuthenticationMode[] = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"];

interface UpdateClusterConfig {
    name: string;
    resourcesVpcConfig?: Partial<VpcConfig>;
    logging?: Cluster["logging"];
    accessConfig?: { authenticationMode: AuthenticationMode };
    upgradePolicy?: { supportType: string };
    deletionProtection?: boolean;
}

/**
 * Records an update and starts its job.
 *
 * @param resource what is updated: `cluster`, `cluster/nodegroup` or `cluster/addon`
 */
export function startUpdate(scope: Scope, resource: string, type: string, params: Record<string, string>, job: Job, after: number) {
    const hex = scope.hex(32);
    const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
    const update: Update = {
        id,
        status: "InProgress",
        type,
        params: Object.entries(params).map(([name, value]) => ({ type: name, value })),
        createdAt: scope.now.toISOString(),
        errors: [],
        own: { resource },
    };
    updates.in(scope).put(id, update);
    startJob(scope, job, after, id);
    return { update: shown(update) };
}

/** The actions that update clusters, and those that describe updates. */
export const clusterUpdateActions = (scope: Scope) => {
    const rows = clusters.in(scope);
    const needIdle = (name: string, action: string) => {
        const cluster = needCluster(scope, name);
        if (cluster.status !== "ACTIVE") throw inUse(`Cannot ${action} because cluster ${name} currently is in status ${cluster.status}`);
        return cluster;
    };
    const start = (name: string, type: string, params: Record<string, string>, set: Partial<Cluster>, after: number) => {
        rows.update(name, { status: "UPDATING" });
        return startUpdate(scope, name, type, params, { kind: "updateCluster", cluster: name, set }, after);
    };

    return {
        updateClusterVersion: ({ name, version }: { name: string; version: string }) => {
            checkUpgrade(needIdle(name, "UpdateClusterVersion").version, version);
            return start(name, "VersionUpdate", { Version: version, PlatformVersion: "eks.1" }, { version }, UPGRADE);
        },

        updateClusterConfig: ({ name, ...changes }: UpdateClusterConfig) => {
            const cluster = needIdle(name, "UpdateClusterConfig");
            const changed = Object.entries(changes).filter(([, value]) => value !== undefined);
            if (changed.length !== 1) throw invalid("Only one type of update can be allowed.");
            const { resourcesVpcConfig, logging, accessConfig, upgradePolicy, deletionProtection } = changes;
            if (resourcesVpcConfig) {
                const next = { ...cluster.resourcesVpcConfig, ...resourcesVpcConfig };
                checkVpcConfig(scope, cluster, next);
                const type =
                    resourcesVpcConfig.subnetIds || resourcesVpcConfig.securityGroupIds ? "VpcConfigUpdate" : "EndpointAccessUpdate";
                const params = {
                    EndpointPublicAccess: String(next.endpointPublicAccess),
                    EndpointPrivateAccess: String(next.endpointPrivateAccess),
                    PublicAccessCidrs: JSON.stringify(next.publicAccessCidrs),
                };
                return start(name, type, params, { resourcesVpcConfig: next }, CHANGE);
            }
            if (logging) {
                const next = fullLogging(logging);
                if (isEqual(next, cluster.logging)) throw invalid("No changes needed for the logging config provided");
                return start(name, "LoggingUpdate", { ClusterLogging: JSON.stringify(next) }, { logging: next }, CHANGE);
            }
            if (accessConfig) {
                const [from, to] = [cluster.accessConfig.authenticationMode, accessConfig.authenticationMode];
                if (MODES.indexOf(to) <= MODES.indexOf(from)) throw invalid(`Unsupported authentication mode update from ${from} to ${to}`);
                const set = { accessConfig: { ...cluster.accessConfig, authenticationMode: to } };
                return start(name, "AccessConfigUpdate", { AuthenticationMode: to }, set, CHANGE);
            }
            if (upgradePolicy)
                return start(name, "UpgradePolicyUpdate", { UpgradePolicy: upgradePolicy.supportType }, { upgradePolicy }, CHANGE);
            const set = { deletionProtection: deletionProtection ?? false };
            return start(name, "DeletionProtectionUpdate", { DeletionProtection: String(deletionProtection) }, set, CHANGE);
        },

        describeUpdate: (request: { name: string; updateId: string; nodegroupName?: string; addonName?: string }) => {
            const { name, updateId, nodegroupName, addonName } = request;
            needCluster(scope, name);
            const resource = [name, nodegroupName ?? addonName ?? []].flat().join("/");
            const update = updates.in(scope).get(updateId);
            if (update?.own.resource !== resource) throw notFound(`No update found for ID: ${updateId}`);
            return { update: shown(update) };
        },
        listUpdates: ({ name, nodegroupName, addonName }: { name: string; nodegroupName?: string; addonName?: string }) => {
            needCluster(scope, name);
            const resource = [name, nodegroupName ?? addonName ?? []].flat().join("/");
            return {
                updateIds: updates
                    .in(scope)
                    .list()
                    .filter(({ own }) => own.resource === resource)
                    .map(({ id }) => id),
            };
        },
    };
};

function checkVpcConfig(scope: Scope, { name, resourcesVpcConfig: before }: Readonly<Cluster>, next: Cluster["resourcesVpcConfig"]): void {
    if (isEqual(before, next))
        throw invalid(
            `Cluster is already at the desired configuration with endpointPrivateAccess: ${next.endpointPrivateAccess} , endpointPublicAccess: ${next.endpointPublicAccess}, and Public Endpoint Restrictions: [${next.publicAccessCidrs.join(", ")}]`,
        );
    checkEndpoint(next);
    checkGroups(scope, next.securityGroupIds, next.vpcId);
    const subnets = clusterSubnets(scope, name, next.subnetIds);
    if (subnets.some(({ VpcId }) => VpcId !== next.vpcId)) throw invalid(`Subnets specified must be in VPC ${next.vpcId} of the cluster`);
}

function isEqual(a: object, b: object): boolean {
    return JSON.stringify(a) === JSON.stringify(b);
}
