import type { Scope } from "../scope.ts";
import { accessActions } from "./access.ts";
import { addonActions } from "./addons.ts";
import { clusterActions } from "./clusters.ts";
import { pendingJobs, settleWithoutBackend } from "./jobs.ts";
import { nodegroupActions } from "./nodegroups.ts";
import { podIdentityActions } from "./pod-identity.ts";
import { accessEntries, addons, clusters, nodegroups, podIdentities } from "./tables.ts";
import { eksTagActions } from "./tags.ts";

/** The tables of EKS that must be empty after the last destroy. */
export const EKS_TABLES = [clusters, nodegroups, addons, accessEntries, podIdentities, pendingJobs];

const actions = (scope: Scope) => ({
    ...clusterActions(scope),
    ...nodegroupActions(scope),
    ...addonActions(scope),
    ...accessActions(scope),
    ...podIdentityActions(scope),
    ...eksTagActions(scope),
});

/** Simulated EKS without a backend: clusters become ACTIVE by themselves, with an endpoint at which nothing listens. */
export const eks = Object.assign((scope: Scope) => actions(scope), { settle: settleWithoutBackend });

/** Simulated EKS whose clusters and nodes run on the backend passed to `serveEks`. Until then they stay CREATING. */
export const backedEks: typeof eks = Object.assign((scope: Scope) => actions(scope), { settle: () => {} });
