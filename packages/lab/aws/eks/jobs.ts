import { dropInstance, groups, type Instance, instances, instancesOf, putInService } from "../autoscaling.ts";
import { dropInterface } from "../ec2/interfaces.ts";
import { dropGroup } from "../ec2/security-groups/groups.ts";
import { securityGroupRules } from "../ec2/tables.ts";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";
import { ADDONS } from "./addon-catalogue.ts";
import { type AddonSpec, addonSpec, type ClusterMade, type ClusterSpec, clusterSpec, type NodeSpec, nodeSpec } from "./specs.ts";
import { accessEntries, addons, type Cluster, clusters, type Health, nodegroups, podIdentities, updates } from "./tables.ts";

/** Something that EKS has begun. */
export type Job =
    | { kind: "createCluster"; cluster: string }
    | { kind: "updateCluster"; cluster: string; set: Partial<Cluster> }
    | { kind: "deleteCluster"; cluster: string }
    /** Instances come and go; with `gone` the node group goes with them. */
    | { kind: "nodes"; nodegroup: string; add: string[]; remove: string[]; gone: boolean }
    | { kind: "putAddon"; addon: string }
    /** With `preserve` what it made in the cluster stays. */
    | { kind: "deleteAddon"; addon: string; preserve: boolean };

/** A job, where it is done, and whether AWS's own time for it is over, so that the rest may come. */
export interface Work extends Place {
    id: string;
    job: Job;
    /** Id of the update that tells callers of it. */
    update?: string | undefined;
    turn: boolean;
}
export const works = new Table<Work>("eks/work", { shared: "world" });

/** What a job is about, as whoever does it needs to know. */
export type Task =
    | { kind: "createCluster" | "updateCluster" | "deleteCluster"; cluster: ClusterSpec }
    | { kind: "nodes"; add: NodeSpec[]; remove: NodeSpec[] }
    | { kind: "putAddon"; addon: AddonSpec }
    | { kind: "deleteAddon"; addon: AddonSpec; preserve: boolean };

/** How a job ended. */
export type Outcome = { made?: ClusterMade } | { failure: string };

/** Begins a job that takes AWS `after` milliseconds, and then whoever serves EKS as long as he needs. */
export function begin(scope: Scope, job: Job, after: number, update?: string): void {
    const id = scope.hex(16);
    const { account, region } = scope;
    works.in(scope).put(id, { id, account, region, job, update, turn: false });
    scope.schedule(works, id, [{ after, set: { turn: true } }]);
}

/** What is to be done for a job; undefined: nothing any more. */
export function taskOf(anywhere: Scope, { account, region, job }: Readonly<Work>): Task | undefined {
    const scope = anywhere.at({ account, region });
    if (job.kind === "nodes") {
        const present = (id: string): Readonly<Instance>[] => [instances.in(scope).get(id) ?? []].flat();
        const spec = (id: string) => present(id).map((instance) => nodeSpec(scope, job.nodegroup, instance));
        return { kind: job.kind, add: job.add.flatMap(spec), remove: job.remove.flatMap(spec) };
    }
    if (job.kind === "putAddon" || job.kind === "deleteAddon") {
        const addon = addons.in(scope).get(job.addon);
        return addon && { ...job, addon: addonSpec(scope, addon) };
    }
    const cluster = clusters.in(scope).get(job.cluster);
    return cluster && { kind: job.kind, cluster: clusterSpec(scope, job.kind === "updateCluster" ? { ...cluster, ...job.set } : cluster) };
}

/** Writes down how a job ended. */
export function complete(anywhere: Scope, { id, account, region, job, update }: Readonly<Work>, outcome: Outcome): void {
    const scope = anywhere.at({ account, region });
    works.in(scope).delete(id);
    const failure = "failure" in outcome ? outcome.failure : undefined;
    if (update !== undefined && updates.in(scope).get(update)) {
        const errors = failure === undefined ? [] : [{ errorCode: "Unknown", errorMessage: failure, resourceIds: [] }];
        updates.in(scope).update(update, { status: failure === undefined ? "Successful" : "Failed", errors });
    }
    if (job.kind === "nodes") nodesDone(scope, job, failure);
    else if (job.kind === "putAddon" || job.kind === "deleteAddon") addonDone(scope, job, failure);
    else if (clusters.in(scope).get(job.cluster)) clusterDone(scope, job, outcome);
}

function clusterDone(scope: Scope, job: Extract<Job, { cluster: string }>, outcome: Outcome): void {
    if ("failure" in outcome) {
        const status = job.kind === "updateCluster" ? "ACTIVE" : "FAILED";
        clusters.in(scope).update(job.cluster, { status, health: unhealthy("InternalFailure", outcome.failure) });
    } else if (job.kind === "deleteCluster") {
        dropCluster(scope, job.cluster);
    } else if (job.kind === "updateCluster") {
        clusters.in(scope).update(job.cluster, { ...job.set, status: "ACTIVE" });
    } else {
        const { endpoint = "", certificateAuthority = "" } = outcome.made ?? {};
        clusters.in(scope).update(job.cluster, { status: "ACTIVE", endpoint, certificateAuthority: { data: certificateAuthority } });
    }
}

/** Does what is due when nothing real stands behind the clusters: they get an endpoint that leads nowhere. */
export function settleAlone(scope: Scope): void {
    for (const work of works.in(scope).list()) {
        if (!work.turn || waitsForNodes(scope, work)) continue;
        const endpoint = `https://${scope.hex(32).toUpperCase()}.gr7.${work.region}.eks.amazonaws.com`;
        complete(scope, work, { made: { endpoint, certificateAuthority: btoa("simulated certificate authority") } });
    }
}

/** CoreDNS gets ready on a node or not at all: who makes it before the nodes, and waits, waits for ever. */
function waitsForNodes(anywhere: Scope, { account, region, job }: Readonly<Work>): boolean {
    if (job.kind !== "putAddon") return false;
    const scope = anywhere.at({ account, region });
    const { addonName = "", clusterName } = addons.in(scope).get(job.addon) ?? {};
    const own = nodegroups
        .in(scope)
        .list()
        .filter((one) => one.clusterName === clusterName);
    const names = own.flatMap(({ resources }) => resources.autoScalingGroups.map(({ name }) => name));
    const joined = names.some((name) => instancesOf(scope, name).some(({ LifecycleState }) => LifecycleState === "InService"));
    return ADDONS[addonName]?.needsNodes === true && !joined;
}

function nodesDone(scope: Scope, job: Extract<Job, { kind: "nodes" }>, failure: string | undefined): void {
    const nodegroup = nodegroups.in(scope).get(job.nodegroup);
    if (!nodegroup) return;
    if (failure !== undefined) {
        const status = nodegroup.status === "CREATING" ? "CREATE_FAILED" : nodegroup.status === "DELETING" ? "DELETE_FAILED" : "DEGRADED";
        nodegroups.in(scope).update(job.nodegroup, { status, health: unhealthy("NodeCreationFailure", failure) });
        return;
    }
    for (const id of job.remove) dropInstance(scope, id);
    for (const id of job.add) putInService(scope, id);
    if (!job.gone) {
        nodegroups.in(scope).update(job.nodegroup, { status: "ACTIVE", health: { issues: [] } });
        return;
    }
    for (const { name } of nodegroup.resources.autoScalingGroups) groups.in(scope).delete(name);
    nodegroups.in(scope).delete(job.nodegroup);
    forgetUpdates(scope, job.nodegroup);
}

function addonDone(scope: Scope, job: Extract<Job, { addon: string }>, failure: string | undefined): void {
    const addon = addons.in(scope).get(job.addon);
    if (!addon) return;
    if (failure === undefined && job.kind === "deleteAddon") {
        addons.in(scope).delete(job.addon);
        forgetUpdates(scope, job.addon);
        return;
    }
    const failed = { CREATING: "CREATE_FAILED", UPDATING: "UPDATE_FAILED", DELETING: "DELETE_FAILED" } as const;
    const status = addon.status in failed ? failed[addon.status as keyof typeof failed] : "DEGRADED";
    addons
        .in(scope)
        .update(
            job.addon,
            failure === undefined
                ? { status: "ACTIVE", health: { issues: [] } }
                : { status, health: unhealthy("InternalFailure", failure) },
        );
}

function dropCluster(scope: Scope, name: string): void {
    const { own, resourcesVpcConfig } = clusters.in(scope).update(name, {});
    for (const id of own.interfaces) dropInterface(scope, id);
    const group = resourcesVpcConfig.clusterSecurityGroupId;
    // EKS asks EC2 like anyone else: a group that others refer to stays behind.
    const wanted = securityGroupRules
        .in(scope)
        .list()
        .some((rule) => rule.ReferencedGroupInfo?.GroupId === group && rule.GroupId !== group);
    if (!wanted) dropGroup(scope, group);
    for (const table of [addons, accessEntries, podIdentities])
        for (const id of Object.keys(scope.memory.read(scope.placeOf("region"), table.name)))
            if (id.startsWith(`${name}/`)) scope.memory.write(scope.placeOf("region"), table.name, id, undefined);
    clusters.in(scope).delete(name);
    forgetUpdates(scope, name);
}

function forgetUpdates(scope: Scope, of: string): void {
    for (const { id, own } of updates.in(scope).list()) if (own.of === of || own.of.startsWith(`${of}/`)) updates.in(scope).delete(id);
}

function unhealthy(code: string, message: string): Health {
    return { issues: [{ code, message, resourceIds: [] }] };
}
