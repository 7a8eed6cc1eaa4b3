import type { Scope } from "../scope.ts";
import { accessActions } from "./access.ts";
import { addonActions } from "./addons.ts";
import { clusterActions } from "./clusters.ts";
import { settleAlone, works } from "./jobs.ts";
import { nodegroupActions } from "./nodegroups.ts";
import { podIdentityActions } from "./pod-identity.ts";
import { accessEntries, addons, clusters, nodegroups, podIdentities } from "./tables.ts";
import { eksTagActions } from "./tags.ts";

/** All that EKS keeps and that must be gone after the last destroy. */
export const EKS_TABLES = [clusters, nodegroups, addons, accessEntries, podIdentities, works];

const actions = (scope: Scope) => ({
    ...clusterActions(scope),
    ...nodegroupActions(scope),
    ...addonActions(scope),
    ...accessActions(scope),
    ...podIdentityActions(scope),
    ...eksTagActions(scope),
});

/** EKS with nothing behind it: clusters get ready by themselves, with an endpoint that leads nowhere. */
export const eks = Object.assign((scope: Scope) => actions(scope), { settle: settleAlone });

/** EKS whose clusters and nodes are made by whoever serves it with `serveEks`. Until then they stay CREATING. */
export const backedEks: typeof eks = Object.assign((scope: Scope) => actions(scope), { settle: () => {} });
