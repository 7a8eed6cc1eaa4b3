import { type Instance, instances } from "../autoscaling.ts";
import { interfaces } from "../ec2/tables.ts";
import type { Behind } from "../path/path.ts";
import type { Scope } from "../scope.ts";
import { type LoadBalancer, listeners, loadBalancers, type Target, targetGroups } from "./tables.ts";
import { healthOf, targetsOf } from "./target-groups.ts";

/** The targets behind an interface of a network load balancer, for `pathBetween`: those of the listener for that port, in the zones that it serves. */
export const behindBalancers: Behind = (scope, { NetworkInterfaceId }, { protocol, port }) => {
    const balancer = loadBalancers
        .in(scope)
        .list()
        .find((one) => one.interfaces.includes(NetworkInterfaceId));
    if (!balancer) return undefined;
    const listener = listeners
        .in(scope)
        .list()
        .find(
            (one) => one.LoadBalancerArn === balancer.LoadBalancerArn && one.Port === port && one.Protocol.toLowerCase().includes(protocol),
        );
    // Not even its own address answers before it is active, or on another port.
    if (!listener || balancer.State.Code !== "active") return [];
    return listener.DefaultActions.flatMap(({ TargetGroupArn }) =>
        targetsOf(scope, TargetGroupArn).flatMap((target) => {
            const instance = instances.in(scope).get(target.Id);
            if (!instance || !serves(scope, balancer, NetworkInterfaceId, target, instance)) return [];
            const endpoint = { account: scope.account, region: scope.region, vpcId: balancer.VpcId, address: instance.PrivateIpAddress };
            return [{ endpoint, port: target.Port, healthy: healthOf(scope, target).State === "healthy" }];
        }),
    );
};

/** Whether traffic at one of a balancer's interfaces may go to a target: in its own zone, or in any when zones are crossed. */
export function serves(
    scope: Scope,
    balancer: Readonly<LoadBalancer>,
    interfaceId: string,
    { TargetGroupArn }: Readonly<Target>,
    { AvailabilityZone }: Readonly<Instance>,
): boolean {
    const key = "load_balancing.cross_zone.enabled";
    const own = targetGroups.in(scope).get(TargetGroupArn)?.attributes[key];
    const crossed = own === "use_load_balancer_configuration" ? balancer.attributes[key] : own;
    return crossed === "true" || interfaces.in(scope).get(interfaceId)?.AvailabilityZone === AvailabilityZone;
}
