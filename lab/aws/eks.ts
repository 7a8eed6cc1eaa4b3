import { accessActions } from "./eks-access.ts";
import { addonActions } from "./eks-addons.ts";
import { clusterActions } from "./eks-clusters.ts";
import { nodegroupActions } from "./eks-nodegroups.ts";
import { podIdentityActions } from "./eks-pod-identity.ts";
import { accessEntries, addons, clusters, nodegroups, podIdentities } from "./eks-tables.ts";
import { eksTagActions } from "./eks-tags.ts";
import { settleAlone, works } from "./eks-work.ts";
import type { Scope } from "./scope.ts";

/** What of the rules list this service keeps. */
export const KEPT_RULES = [
    "create cluster (CREATING)",
    "nodegroup while CREATING refused",
    "describe → ACTIVE",
    "describe keeps input",
    "cluster SG is a real EC2 SG",
    "duplicate cluster",
    "unknown subnet",
    "single-AZ subnets",
    "unknown role",
    "bad version",
    "unknown cluster",
    "create nodegroup (CREATING)",
    "nodegroup → ACTIVE",
    "nodegroup min>max refused",
    "update nodegroup config",
    "DescribeAddonVersions",
    "create addon with configurationValues",
    "describe addon keeps configurationValues",
    "addon bad configurationValues",
    "addon unknown name",
    "addon duplicate",
    "update addon",
    "access entry",
    "access entry duplicate",
    "associate access policy",
    "list associated policies",
    "pod identity association",
    "pod identity duplicate",
    "describe pod identity",
    "update version +1",
    "describe update",
    "version is now 1.34",
    "update version by 2 minors refused",
    "downgrade refused",
    "update cluster config (endpoint)",
    "tag/list tags",
    "delete cluster with nodegroups",
    "delete subnet in use by cluster",
    "delete nodegroup (DELETING)",
    "delete cluster (DELETING)",
    "gone",
];

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
