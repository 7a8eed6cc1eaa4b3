import { groups, instancesOf } from "../autoscaling.ts";
import type { Subnet } from "../ec2/tables.ts";
import type { Quota, Scope } from "../scope.ts";
import { putEntry } from "./access.ts";
import { checkRole, knownSubnets } from "./cluster-checks.ts";
import { startJob } from "./jobs.ts";
import { checkInstanceTypes, checkScaling, checkSkew, checkTaints, checkTemplateUse } from "./nodegroup-checks.ts";
import { startInstances, stopInstances, templateData } from "./nodes.ts";
import {
    accessEntries,
    inUse,
    invalid,
    type LaunchTemplateRef,
    limitExceeded,
    type Nodegroup,
    needActive,
    needCluster,
    nodegroups,
    notFound,
    type ScalingConfig,
    type Tags,
    type Taint,
} from "./tables.ts";
import { startUpdate } from "./updates.ts";

export const NODEGROUPS_PER_CLUSTER: Quota = { code: "L-6D54EA21", default: 30 };

/** How long AWS takes, in milliseconds. */
const CREATION = 2 * 60_000;
const CHANGE = 60_000;
const ROLLOUT = 5 * 60_000;
const DELETION = 3 * 60_000;

export interface CreateNodegroup {
    clusterName: string;
    nodegroupName: string;
    nodeRole: string;
    subnets: string[];
    scalingConfig?: Partial<ScalingConfig>;
    instanceTypes?: string[];
    amiType?: string;
    capacityType?: string;
    diskSize?: number;
    labels?: Record<string, string>;
    taints?: Taint[];
    launchTemplate?: LaunchTemplateRef;
    updateConfig?: Nodegroup["updateConfig"];
    version?: string;
    releaseVersion?: string;
    tags?: Tags;
}
interface Ref {
    clusterName: string;
    nodegroupName: string;
}

/** The actions on managed node groups. Each has an Auto Scaling group, whose instances have interfaces in EC2. */
export const nodegroupActions = (scope: Scope) => {
    const rows = nodegroups.in(scope);
    const keyOf = ({ clusterName, nodegroupName }: Ref) => `${clusterName}/${nodegroupName}`;
    const need = (ref: Ref) => {
        needCluster(scope, ref.clusterName);
        return rows.need(keyOf(ref), () => notFound(`No node group found for name: ${ref.nodegroupName}.`));
    };
    const needIdle = (ref: Ref) => {
        const nodegroup = need(ref);
        if (nodegroup.status !== "ACTIVE" && nodegroup.status !== "DEGRADED")
            throw inUse(`Nodegroup cannot be updated as it is currently not in Active State: ${nodegroup.status}`);
        return nodegroup;
    };
    const groupOf = ({ resources }: Readonly<Nodegroup>) => resources.autoScalingGroups[0]?.name ?? "";

    return {
        createNodegroup: (request: CreateNodegroup) => {
            const { clusterName, nodegroupName, nodeRole, instanceTypes, taints = [], launchTemplate, tags = {} } = request;
            const { version: clusterVersion, resourcesVpcConfig, accessConfig } = needActive(scope, clusterName);
            if (!/^[0-9A-Za-z][\w-]{0,62}$/.test(nodegroupName)) throw invalid(`The node group name '${nodegroupName}' is invalid`);
            if (rows.get(keyOf(request)))
                throw inUse(`NodeGroup already exists with name ${nodegroupName} and cluster name ${clusterName}`);
            const siblings = rows.list().filter((sibling) => sibling.clusterName === clusterName);
            if (siblings.length >= scope.quota(NODEGROUPS_PER_CLUSTER))
                throw limitExceeded(`Cannot exceed quota for NodegroupsPerCluster: ${scope.quota(NODEGROUPS_PER_CLUSTER)}`);
            const scalingConfig = { minSize: 1, maxSize: 2, desiredSize: 2, ...request.scalingConfig };
            checkScaling(scalingConfig);
            const version = request.version ?? clusterVersion;
            checkSkew(version, clusterVersion);
            checkRole(scope, nodeRole, "ec2.amazonaws.com");
            const subnets = subnetsInVpc(scope, request.subnets, resourcesVpcConfig.vpcId);
            const data = launchTemplate && templateData(scope, launchTemplate);
            if (launchTemplate && data) checkTemplateUse(data, request, launchTemplate);
            const types = instanceTypes ?? [String(data?.InstanceType ?? "t3.medium")];
            const amiType = request.amiType ?? (data?.ImageId === undefined ? "AL2023_x86_64_STANDARD" : "CUSTOM");
            checkInstanceTypes(amiType, types);
            checkTaints(taints);

            const id = scope.hex(32);
            const now = scope.now.toISOString();
            const nodegroup = rows.put(keyOf(request), {
                nodegroupName,
                nodegroupArn: scope.arn("eks", `nodegroup/${clusterName}/${nodegroupName}/${id}`),
                clusterName,
                version,
                releaseVersion: request.releaseVersion ?? `${version}.0-20261101`,
                createdAt: now,
                modifiedAt: now,
                status: "CREATING",
                capacityType: request.capacityType ?? "ON_DEMAND",
                scalingConfig,
                instanceTypes: types,
                subnets: request.subnets,
                amiType,
                nodeRole,
                labels: request.labels ?? {},
                taints,
                resources: { autoScalingGroups: [{ name: `eks-${nodegroupName}-${id}` }] },
                ...(launchTemplate ? { launchTemplate } : { diskSize: request.diskSize ?? 20 }),
                updateConfig: request.updateConfig ?? { maxUnavailable: 1 },
                health: { issues: [] },
                tags,
            });
            putAutoScalingGroup(scope, nodegroup, id, subnets);
            // EKS creates the access entry for the nodes of managed node groups itself.
            if (accessConfig.authenticationMode !== "CONFIG_MAP" && !accessEntries.in(scope).get(`${clusterName}/${nodeRole}`))
                putEntry(scope, { clusterName, principalArn: nodeRole, type: "EC2_LINUX" });
            const add = startInstances(scope, nodegroup, scalingConfig.desiredSize);
            startJob(scope, { kind: "nodes", nodegroup: keyOf(request), add, remove: [], gone: false }, CREATION);
            return { nodegroup };
        },

        describeNodegroup: (request: Ref) => ({ nodegroup: need(request) }),
        listNodegroups: ({ clusterName }: { clusterName: string }) => {
            needCluster(scope, clusterName);
            const own = rows.list().filter((sibling) => sibling.clusterName === clusterName);
            return { nodegroups: own.map(({ nodegroupName }) => nodegroupName) };
        },

        updateNodegroupConfig: (
            request: Ref & {
                scalingConfig?: Partial<ScalingConfig>;
                labels?: { addOrUpdateLabels?: Record<string, string>; removeLabels?: string[] };
                taints?: { addOrUpdateTaints?: Taint[]; removeTaints?: Taint[] };
                updateConfig?: Nodegroup["updateConfig"];
            },
        ) => {
            const nodegroup = needIdle(request);
            const key = keyOf(request);
            const scalingConfig = { ...nodegroup.scalingConfig, ...request.scalingConfig };
            checkScaling(scalingConfig);
            const labels = Object.fromEntries(
                Object.entries({ ...nodegroup.labels, ...request.labels?.addOrUpdateLabels }).filter(
                    ([name]) => !request.labels?.removeLabels?.includes(name),
                ),
            );
            const changed = [...(request.taints?.addOrUpdateTaints ?? []), ...(request.taints?.removeTaints ?? [])];
            const kept = nodegroup.taints.filter(
                (taint) => !changed.some(({ key: name, effect }) => name === taint.key && effect === taint.effect),
            );
            const taints = [...kept, ...(request.taints?.addOrUpdateTaints ?? [])];
            checkTaints(taints);
            const updateConfig = request.updateConfig ?? nodegroup.updateConfig;
            const next = { scalingConfig, labels, taints, updateConfig };
            const updated = rows.update(key, { ...next, status: "UPDATING", modifiedAt: scope.now.toISOString() });
            const { minSize, maxSize, desiredSize } = scalingConfig;
            groups.in(scope).update(groupOf(nodegroup), { MinSize: minSize, MaxSize: maxSize, DesiredCapacity: desiredSize });

            const running = instancesOf(scope, groupOf(nodegroup)).filter(({ LifecycleState }) => LifecycleState !== "Terminating");
            const add = startInstances(scope, updated, Math.max(0, desiredSize - running.length));
            const remove = stopInstances(scope, running, Math.max(0, running.length - desiredSize));
            const params = { MinSize: String(minSize), MaxSize: String(maxSize), DesiredSize: String(desiredSize) };
            return startUpdate(scope, key, "ConfigUpdate", params, { kind: "nodes", nodegroup: key, add, remove, gone: false }, CHANGE);
        },

        /** Starts the new instances before it stops the old ones. */
        updateNodegroupVersion: (request: Ref & { version?: string; releaseVersion?: string; launchTemplate?: LaunchTemplateRef }) => {
            const nodegroup = needIdle(request);
            const key = keyOf(request);
            const version = request.version ?? nodegroup.version;
            checkSkew(version, needCluster(scope, request.clusterName).version);
            const { launchTemplate = nodegroup.launchTemplate } = request;
            if (!launchTemplate !== !nodegroup.launchTemplate)
                throw invalid("A launch template cannot be added to or removed from an existing node group");
            if (launchTemplate) templateData(scope, launchTemplate);
            const releaseVersion = request.releaseVersion ?? `${version}.0-20261101`;
            const next = { version, releaseVersion, ...(launchTemplate && { launchTemplate }), modifiedAt: scope.now.toISOString() };
            const updated = rows.update(key, { ...next, status: "UPDATING" });
            const old = instancesOf(scope, groupOf(nodegroup));
            const add = startInstances(scope, updated, nodegroup.scalingConfig.desiredSize);
            const remove = stopInstances(scope, old, old.length);
            const params = { Version: version, ReleaseVersion: releaseVersion };
            return startUpdate(scope, key, "VersionUpdate", params, { kind: "nodes", nodegroup: key, add, remove, gone: false }, ROLLOUT);
        },

        deleteNodegroup: (request: Ref) => {
            const nodegroup = need(request);
            if (nodegroup.status === "DELETING" || nodegroup.status === "CREATING" || nodegroup.status === "UPDATING")
                throw inUse(`Nodegroup cannot be deleted as it is currently in status ${nodegroup.status}`);
            const all = instancesOf(scope, groupOf(nodegroup));
            const remove = stopInstances(scope, all, all.length);
            startJob(scope, { kind: "nodes", nodegroup: keyOf(request), add: [], remove, gone: true }, DELETION);
            return { nodegroup: rows.update(keyOf(request), { status: "DELETING" }) };
        },
    };
};

function subnetsInVpc(scope: Scope, ids: readonly string[], vpcId: string): Readonly<Subnet>[] {
    const subnets = knownSubnets(scope, ids);
    if (subnets.length === 0 || subnets.some((subnet) => subnet.VpcId !== vpcId))
        throw invalid(`Subnets [${ids.join(", ")}] are not all in VPC ${vpcId} of the cluster`);
    return subnets;
}

function putAutoScalingGroup(scope: Scope, nodegroup: Readonly<Nodegroup>, id: string, subnets: readonly Readonly<Subnet>[]): void {
    const { clusterName, nodegroupName, scalingConfig, createdAt } = nodegroup;
    const group = `eks-${nodegroupName}-${id}`;
    groups.in(scope).put(group, {
        AutoScalingGroupName: group,
        AutoScalingGroupARN: scope.arn("autoscaling", `autoScalingGroup:${id}:autoScalingGroupName/${group}`),
        MinSize: scalingConfig.minSize,
        MaxSize: scalingConfig.maxSize,
        DesiredCapacity: scalingConfig.desiredSize,
        AvailabilityZones: [...new Set(subnets.map(({ AvailabilityZone }) => AvailabilityZone))],
        VPCZoneIdentifier: nodegroup.subnets.join(","),
        HealthCheckType: "EC2",
        CreatedTime: createdAt,
        TargetGroupARNs: [],
        Tags: groupTags(group, clusterName, nodegroupName),
    });
}

function groupTags(group: string, clusterName: string, nodegroupName: string) {
    const tags = {
        "eks:cluster-name": clusterName,
        "eks:nodegroup-name": nodegroupName,
        [`kubernetes.io/cluster/${clusterName}`]: "owned",
        [`k8s.io/cluster-autoscaler/${clusterName}`]: "owned",
        "k8s.io/cluster-autoscaler/enabled": "true",
    };
    return Object.entries(tags).map(([Key, Value]) => ({
        Key,
        Value,
        PropagateAtLaunch: true,
        ResourceId: group,
        ResourceType: "auto-scaling-group" as const,
    }));
}
