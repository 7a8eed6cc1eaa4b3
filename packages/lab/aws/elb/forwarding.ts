import { type Instance, instances } from "../autoscaling.ts";
import { interfaces } from "../ec2/tables.ts";
import type { FindTargets } from "../path/path.ts";
import type { Scope } from "../scope.ts";
import { type LoadBalancer, listeners, loadBalancers, type Target, targetGroups, targetsOf } from "./tables.ts";
import { healthOf } from "./target-health.ts";

/** Finds the targets behind an interface of a network load balancer, for `pathBetween`: those of the listener for that port, in the zones that the interface serves. */
export const findBalancerTargets: FindTargets = (scope, { NetworkInterfaceId }, { protocol, port }) => {
    const balancer = loadBalancers
        .in(scope)
        .list()
        .find((candidate) => candidate.interfaces.includes(NetworkInterfaceId));
    if (!balancer) return undefined;
    const listener = listeners
        .in(scope)
        .list()
        .find(
            (candidate) =>
                candidate.LoadBalancerArn === balancer.LoadBalancerArn &&
                candidate.Port === port &&
                candidate.Protocol.toLowerCase().includes(protocol),
        );
    // Nothing answers at its address before it is active, or on a port without a listener.
    if (!listener || balancer.State.Code !== "active") return [];
    return listener.DefaultActions.flatMap(({ TargetGroupArn }) =>
        targetsOf(scope, TargetGroupArn).flatMap((target) => {
            const instance = instances.in(scope).get(target.Id);
            if (!instance || !forwardsTo(scope, balancer, NetworkInterfaceId, target, instance)) return [];
            const endpoint = { account: scope.account, region: scope.region, vpcId: balancer.VpcId, address: instance.PrivateIpAddress };
            return [{ endpoint, port: target.Port, healthy: healthOf(scope, target).State === "healthy" }];
        }),
    );
};

/** Whether an interface of a load balancer forwards to a target: one in its own zone, or in any zone if cross-zone load balancing is enabled. */
export function forwardsTo(
    scope: Scope,
    balancer: Readonly<LoadBalancer>,
    interfaceId: string,
    { TargetGroupArn }: Readonly<Target>,
    { AvailabilityZone }: Readonly<Instance>,
): boolean {
    const key = "load_balancing.cross_zone.enabled";
    const setting = targetGroups.in(scope).get(TargetGroupArn)?.attributes[key];
    const crossZone = setting === "use_load_balancer_configuration" ? balancer.attributes[key] : setting;
    return crossZone === "true" || interfaces.in(scope).get(interfaceId)?.AvailabilityZone === AvailabilityZone;
}
