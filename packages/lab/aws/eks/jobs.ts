import { deleteInstance, groups, type Instance, instances, instancesOf, putInService } from "../autoscaling.ts";
import { deleteInterface } from "../ec2/interfaces.ts";
import { deleteGroup } from "../ec2/security-groups/groups.ts";
import { securityGroupRules } from "../ec2/tables.ts";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";
import { ADDONS } from "./addon-catalogue.ts";
import {
    type AddonSpec,
    addonSpec,
    type ClusterConnection,
    type ClusterSpec,
    clusterSpec,
    type InstanceNode,
    instanceNode,
} from "./specs.ts";
import { accessEntries, addons, type Cluster, clusters, type Health, nodegroups, podIdentities, updates } from "./tables.ts";

/** An asynchronous operation of EKS. */
export type Job =
    | { kind: "createCluster"; cluster: string }
    | { kind: "updateCluster"; cluster: string; set: Partial<Cluster> }
    | { kind: "deleteCluster"; cluster: string }
    /** Adds and removes instances. `gone` also deletes the node group. */
    | { kind: "nodes"; nodegroup: string; add: string[]; remove: string[]; gone: boolean }
    | { kind: "putAddon"; addon: string }
    /** With `preserve`, the add-on's resources remain in the cluster. */
    | { kind: "deleteAddon"; addon: string; preserve: boolean };

/** A job and the account and region where it runs. */
export interface PendingJob extends Place {
    id: string;
    job: Job;
    /** ID of the update that reports on the job. */
    update?: string | undefined;
    /** Whether the time that AWS takes is over, so that the backend may run the job. */
    due: boolean;
}
export const pendingJobs = new Table<PendingJob>("eks/job", { shared: "world" });

/** A job with all that the backend needs to know. */
export type Task =
    | { kind: "createCluster" | "updateCluster" | "deleteCluster"; cluster: ClusterSpec }
    | { kind: "nodes"; add: InstanceNode[]; remove: InstanceNode[] }
    | { kind: "putAddon"; addon: AddonSpec }
    | { kind: "deleteAddon"; addon: AddonSpec; preserve: boolean };

/** The result of a job. */
export type Outcome = { connection?: ClusterConnection } | { failure: string };

/** Starts a job that takes AWS `after` milliseconds, followed by the time that the backend takes. */
export function startJob(scope: Scope, job: Job, after: number, update?: string): void {
    const id = scope.hex(16);
    const { account, region } = scope;
    pendingJobs.in(scope).put(id, { id, account, region, job, update, due: false });
    scope.schedule(pendingJobs, id, [{ after, set: { due: true } }]);
}

/** The task of a job, or undefined if its resource no longer exists. */
export function taskOf(anywhere: Scope, { account, region, job }: Readonly<PendingJob>): Task | undefined {
    const scope = anywhere.at({ account, region });
    if (job.kind === "nodes") {
        const present = (id: string): Readonly<Instance>[] => [instances.in(scope).get(id) ?? []].flat();
        const spec = (id: string) => present(id).map((instance) => instanceNode(scope, job.nodegroup, instance));
        return { kind: job.kind, add: job.add.flatMap(spec), remove: job.remove.flatMap(spec) };
    }
    if (job.kind === "putAddon" || job.kind === "deleteAddon") {
        const addon = addons.in(scope).get(job.addon);
        return addon && { ...job, addon: addonSpec(scope, addon) };
    }
    const cluster = clusters.in(scope).get(job.cluster);
    return cluster && { kind: job.kind, cluster: clusterSpec(scope, job.kind === "updateCluster" ? { ...cluster, ...job.set } : cluster) };
}

/** Applies the result of a job to its resource, and to its update. */
export function completeJob(anywhere: Scope, { id, account, region, job, update }: Readonly<PendingJob>, outcome: Outcome): void {
    const scope = anywhere.at({ account, region });
    pendingJobs.in(scope).delete(id);
    const failure = "failure" in outcome ? outcome.failure : undefined;
    if (update !== undefined && updates.in(scope).get(update)) {
        const errors = failure === undefined ? [] : [{ errorCode: "Unknown", errorMessage: failure, resourceIds: [] }];
        updates.in(scope).update(update, { status: failure === undefined ? "Successful" : "Failed", errors });
    }
    if (job.kind === "nodes") completeNodes(scope, job, failure);
    else if (job.kind === "putAddon" || job.kind === "deleteAddon") completeAddon(scope, job, failure);
    else if (clusters.in(scope).get(job.cluster)) completeCluster(scope, job, outcome);
}

function completeCluster(scope: Scope, job: Extract<Job, { cluster: string }>, outcome: Outcome): void {
    if ("failure" in outcome) {
        const status = job.kind === "updateCluster" ? "ACTIVE" : "FAILED";
        clusters.in(scope).update(job.cluster, { status, health: unhealthy("InternalFailure", outcome.failure) });
    } else if (job.kind === "deleteCluster") {
        deleteCluster(scope, job.cluster);
    } else if (job.kind === "updateCluster") {
        clusters.in(scope).update(job.cluster, { ...job.set, status: "ACTIVE" });
    } else {
        const { endpoint = "", certificateAuthority = "" } = outcome.connection ?? {};
        clusters.in(scope).update(job.cluster, { status: "ACTIVE", endpoint, certificateAuthority: { data: certificateAuthority } });
    }
}

/** Completes the jobs that are due if EKS has no backend. Clusters get an endpoint at which nothing listens. */
export function settleWithoutBackend(scope: Scope): void {
    for (const pending of pendingJobs.in(scope).list()) {
        if (!pending.due || waitsForNodes(scope, pending)) continue;
        const endpoint = `https://${scope.hex(32).toUpperCase()}.gr7.${pending.region}.eks.amazonaws.com`;
        completeJob(scope, pending, { connection: { endpoint, certificateAuthority: btoa("simulated certificate authority") } });
    }
}

/** CoreDNS needs a node: a program that creates it before the nodes and waits for it would wait forever. */
function waitsForNodes(anywhere: Scope, { account, region, job }: Readonly<PendingJob>): boolean {
    if (job.kind !== "putAddon") return false;
    const scope = anywhere.at({ account, region });
    const { addonName = "", clusterName } = addons.in(scope).get(job.addon) ?? {};
    const clusterNodegroups = nodegroups
        .in(scope)
        .list()
        .filter((nodegroup) => nodegroup.clusterName === clusterName);
    const names = clusterNodegroups.flatMap(({ resources }) => resources.autoScalingGroups.map(({ name }) => name));
    const hasNodes = names.some((name) => instancesOf(scope, name).some(({ LifecycleState }) => LifecycleState === "InService"));
    return ADDONS[addonName]?.needsNodes === true && !hasNodes;
}

function completeNodes(scope: Scope, job: Extract<Job, { kind: "nodes" }>, failure: string | undefined): void {
    const nodegroup = nodegroups.in(scope).get(job.nodegroup);
    if (!nodegroup) return;
    if (failure !== undefined) {
        const status = nodegroup.status === "CREATING" ? "CREATE_FAILED" : nodegroup.status === "DELETING" ? "DELETE_FAILED" : "DEGRADED";
        nodegroups.in(scope).update(job.nodegroup, { status, health: unhealthy("NodeCreationFailure", failure) });
        return;
    }
    for (const id of job.remove) deleteInstance(scope, id);
    for (const id of job.add) putInService(scope, id);
    if (!job.gone) {
        nodegroups.in(scope).update(job.nodegroup, { status: "ACTIVE", health: { issues: [] } });
        return;
    }
    for (const { name } of nodegroup.resources.autoScalingGroups) groups.in(scope).delete(name);
    nodegroups.in(scope).delete(job.nodegroup);
    deleteUpdatesOf(scope, job.nodegroup);
}

function completeAddon(scope: Scope, job: Extract<Job, { addon: string }>, failure: string | undefined): void {
    const addon = addons.in(scope).get(job.addon);
    if (!addon) return;
    if (failure === undefined && job.kind === "deleteAddon") {
        addons.in(scope).delete(job.addon);
        deleteUpdatesOf(scope, job.addon);
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

function deleteCluster(scope: Scope, name: string): void {
    const { own, resourcesVpcConfig } = clusters.in(scope).update(name, {});
    for (const id of own.interfaces) deleteInterface(scope, id);
    const group = resourcesVpcConfig.clusterSecurityGroupId;
    // EC2 does not let EKS delete a group that other groups refer to, so it remains.
    const referenced = securityGroupRules
        .in(scope)
        .list()
        .some((rule) => rule.ReferencedGroupInfo?.GroupId === group && rule.GroupId !== group);
    if (!referenced) deleteGroup(scope, group);
    for (const table of [addons, accessEntries, podIdentities])
        for (const id of Object.keys(scope.memory.read(scope.placeOf("region"), table.name)))
            if (id.startsWith(`${name}/`)) scope.memory.write(scope.placeOf("region"), table.name, id, undefined);
    clusters.in(scope).delete(name);
    deleteUpdatesOf(scope, name);
}

function deleteUpdatesOf(scope: Scope, resource: string): void {
    for (const { id, own } of updates.in(scope).list())
        if (own.resource === resource || own.resource.startsWith(`${resource}/`)) updates.in(scope).delete(id);
}

function unhealthy(code: string, message: string): Health {
    return { issues: [{ code, message, resourceIds: [] }] };
}
