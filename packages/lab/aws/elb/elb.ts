import type { Scope } from "../scope.ts";
import { listenerActions } from "./listeners.ts";
import { loadBalancerActions } from "./load-balancers.ts";
import { settleOrphans } from "./orphans.ts";
import { elbTagActions } from "./tags.ts";
import { targetGroupActions } from "./target-groups.ts";

const actions = (scope: Scope) => ({
    ...loadBalancerActions(scope),
    ...targetGroupActions(scope),
    ...listenerActions(scope),
    ...elbTagActions(scope),
});

/** Simulated Elastic Load Balancing: network load balancers, their listeners and target groups. */
export const elb = Object.assign(actions, { settle: settleOrphans });
