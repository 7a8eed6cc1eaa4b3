import { accessActions } from "./eks-access.ts";
import { addonActions } from "./eks-addons.ts";
import { clusterActions } from "./eks-clusters.ts";
import { nodegroupActions } from "./eks-nodegroups.ts";
import { podIdentityActions } from "./eks-pod-identity.ts";
import { accessEntries, addons, clusters, nodegroups, podIdentities } from "./eks-tables.ts";
import { eksTagActions } from "./eks-tags.ts";
import { settleAlone, works } from "./eks-work.ts";
import type { Scope } from "./scope.ts";

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
