import { instances } from "../autoscaling.ts";
import type { Memory } from "../memory.ts";
import { pathBetween } from "../path/path.ts";
import type { Scope } from "../scope.ts";
import { balancersOf, type LoadBalancer, loadBalancers, type Target } from "./tables.ts";

/** State of a target, and the reason if it is not healthy. */
interface TargetHealth {
    State: "initial" | "healthy" | "unhealthy" | "draining" | "unused";
    Reason?: string;
    Description?: string;
}

/** Returns the health that `DescribeTargetHealth` shows. */
export function healthOf(scope: Scope, { TargetGroupArn, Id, Port, State }: Readonly<Target>): TargetHealth {
    if (State === "draining")
        return { State, Reason: "Target.DeregistrationInProgress", Description: "Target deregistration is in progress" };
    const balancers = balancersOf(scope, TargetGroupArn).flatMap((arn) => loadBalancers.in(scope).get(arn) ?? []);
    const zones = balancers.flatMap(({ AvailabilityZones }) => AvailabilityZones);
    if (zones.length === 0)
        return {
            State: "unused",
            Reason: "Target.NotInUse",
            Description: "Target group is not configured to receive traffic from the load balancer",
        };
    const instance = instances.in(scope).get(Id);
    if (!instance || !zones.some(({ ZoneName }) => ZoneName === instance.AvailabilityZone))
        return {
            State: "unused",
            Reason: "Target.NotInUse",
            Description: "Target is in an Availability Zone that is not enabled for the load balancer",
        };
    const results = measured.get(scope.memory);
    const state = results ? (results.get(`${TargetGroupArn} ${Id}`) ?? "initial") : State;
    if (state === "initial") return { State: state, Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress" };
    const isHealthy = results
        ? state === "healthy"
        : balancers.every((balancer) => reaches(scope, balancer, instance.PrivateIpAddress, Port));
    if (!isHealthy) return { State: "unhealthy", Reason: "Target.FailedHealthChecks", Description: "Health checks failed" };
    return { State: "healthy" };
}

/**
 * Results of real health checks per simulation, by target group and target, where a network runs such checks. They replace the computed health.
 * Not stored in the simulation's file: they are outdated after a restart.
 */
const measured = new WeakMap<Memory, ReadonlyMap<string, "healthy" | "unhealthy">>();

/**
 * Sets the results of real health checks for all targets, keyed by `<target group ARN> <instance ID>`.
 *
 * @param results undefined if health is no longer measured
 */
export function setMeasuredHealth({ memory }: Scope, results: ReadonlyMap<string, "healthy" | "unhealthy"> | undefined): void {
    if (results) measured.set(memory, results);
    else measured.delete(memory);
}

/** Whether a load balancer's health checks can reach a target, by routes and the security groups of both. */
function reaches(scope: Scope, { VpcId: vpcId, AvailabilityZones }: Readonly<LoadBalancer>, address: string, port: number): boolean {
    const { account, region } = scope;
    const place = { account, region, vpcId };
    const addresses = AvailabilityZones.flatMap(({ LoadBalancerAddresses }) =>
        LoadBalancerAddresses.map(({ PrivateIPv4Address }) => PrivateIPv4Address),
    );
    return addresses.some((from) => pathBetween(scope, { ...place, address: from }, { ...place, address }, { protocol: "tcp", port }).open);
}
