import { AwsError } from "../error.ts";
import type { Tag } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { Table } from "../table.ts";

/** As in EC2's tables, fields in camelCase belong to the simulation and are never shown. */
export interface LoadBalancer {
    LoadBalancerArn: string;
    LoadBalancerName: string;
    DNSName: string;
    CanonicalHostedZoneId: string;
    CreatedTime: string;
    Scheme: "internal" | "internet-facing";
    VpcId: string;
    State: { Code: "provisioning" | "active" };
    Type: "network";
    AvailabilityZones: { ZoneName: string; SubnetId: string; LoadBalancerAddresses: { PrivateIPv4Address: string }[] }[];
    SecurityGroups: string[];
    IpAddressType: string;
    attributes: Record<string, string>;
    tags: Tag[];
    /** IDs of its network interfaces, one per zone. */
    interfaces: string[];
    /** The settings of the request: a second request with the same name must have the same settings. */
    request: string;
}
export const loadBalancers = new Table<LoadBalancer>("elb/load-balancer");

export interface HealthCheck {
    HealthCheckProtocol: string;
    HealthCheckPort: string;
    HealthCheckEnabled: boolean;
    HealthCheckIntervalSeconds: number;
    HealthCheckTimeoutSeconds: number;
    HealthyThresholdCount: number;
    UnhealthyThresholdCount: number;
}

export interface TargetGroup extends HealthCheck {
    TargetGroupArn: string;
    TargetGroupName: string;
    Protocol: string;
    Port: number;
    VpcId: string;
    TargetType: "instance" | "ip";
    IpAddressType: string;
    attributes: Record<string, string>;
    tags: Tag[];
    request: string;
}
export const targetGroups = new Table<TargetGroup>("elb/target-group");

export interface ListenerAction {
    Type: "forward";
    TargetGroupArn: string;
    Order?: number;
}
export interface Listener {
    ListenerArn: string;
    LoadBalancerArn: string;
    Port: number;
    Protocol: string;
    DefaultActions: ListenerAction[];
    attributes: Record<string, string>;
    tags: Tag[];
}
export const listeners = new Table<Listener>("elb/listener");

/** An instance in a target group. */
export interface Target {
    TargetGroupArn: string;
    Id: string;
    Port: number;
    /** The state by its own timers; `target-health.ts` also decides whether traffic can reach it. */
    State: "initial" | "healthy" | "draining";
}
export const targets = new Table<Target>("elb/target");

/** The tables of ELB that must be empty after the last destroy. */
export const ELB_TABLES = [loadBalancers, targetGroups, listeners, targets];

export const NETWORK_LOAD_BALANCERS: Quota = { code: "L-69A177A2", default: 50 };
export const TARGET_GROUPS: Quota = { code: "L-B22855CB", default: 3000 };
export const LISTENERS_PER_BALANCER: Quota = { code: "L-57A373D6", default: 50 };

/** Registers an instance. It becomes healthy after the number of successful checks that its group requires. */
export function register(scope: Scope, TargetGroupArn: string, Id: string, port?: number): void {
    const group = targetGroups.in(scope).get(TargetGroupArn);
    if (!group) return;
    const key = `${TargetGroupArn} ${Id}`;
    const before = targets.in(scope).get(key);
    if (before && before.State !== "draining") return;
    targets.in(scope).put(key, { TargetGroupArn, Id, Port: port ?? group.Port, State: "initial" });
    const after = group.HealthCheckIntervalSeconds * group.HealthyThresholdCount * 1_000;
    scope.schedule(targets, key, [{ after, set: { State: "healthy" } }]);
}

/** Starts draining a target, and removes it after its group's deregistration delay. */
export function deregister(scope: Scope, TargetGroupArn: string, Id: string): void {
    const key = `${TargetGroupArn} ${Id}`;
    const before = targets.in(scope).get(key);
    if (!before || before.State === "draining") return;
    targets.in(scope).update(key, { State: "draining" });
    const delay = Number(targetGroups.in(scope).get(TargetGroupArn)?.attributes["deregistration_delay.timeout_seconds"] ?? 0);
    scope.schedule(targets, key, [{ after: delay * 1_000, set: null }]);
}

/** The targets of a group in the order of their registration. */
export function targetsOf(scope: Scope, arn: string): Readonly<Target>[] {
    return targets
        .in(scope)
        .list()
        .filter(({ TargetGroupArn }) => TargetGroupArn === arn);
}

/** ARNs of the load balancers that forward to a target group. */
export function balancersOf(scope: Scope, targetGroupArn: string): string[] {
    const forwarding = listeners
        .in(scope)
        .list()
        .filter(({ DefaultActions }) => DefaultActions.some((action) => action.TargetGroupArn === targetGroupArn));
    return [...new Set(forwarding.map(({ LoadBalancerArn }) => LoadBalancerArn))];
}

/**
 * Merges changes into the attributes of a load balancer, target group or listener.
 *
 * @throws AwsError if an attribute is unknown, or not true or false where it must be
 */
export function withAttributes(
    before: Record<string, string>,
    changes: readonly { Key: string; Value: string }[],
    kind: string,
): Record<string, string> {
    for (const { Key, Value } of changes) {
        const known = Object.hasOwn(before, Key) ? before[Key] : undefined;
        if (known === undefined) throw invalid(`${kind} attribute key '${Key}' is not recognized`);
        if (/^(true|false)$/.test(known) && !/^(true|false)$/.test(Value))
            throw invalid(`${kind} attribute value '${Value}' for '${Key}' is invalid`);
    }
    return { ...before, ...Object.fromEntries(changes.map(({ Key, Value }) => [Key, Value])) };
}

/** Converts attributes to the form in which ELB shows them. */
export function attributeList(attributes: Record<string, string>): { Key: string; Value: string }[] {
    return Object.entries(attributes).map(([Key, Value]) => ({ Key, Value }));
}

/** The naming rule of load balancers and target groups. */
export function checkName(kind: string, name: string): void {
    const subject = `${kind} '${name}'`;
    if (name.length > 32) throw invalid(`${subject} cannot be longer than '32' characters`);
    if (!/^[A-Za-z0-9-]+$/.test(name))
        throw invalid(`${subject} can only contain characters that are alphanumeric characters and hyphens(-)`);
    if (/^-|-$/.test(name)) throw invalid(`${subject} cannot begin or end with a hyphen(-)`);
    if (name.startsWith("internal-")) throw invalid(`${subject} cannot begin with 'internal-'`);
}

export function invalid(message: string): AwsError {
    return new AwsError("ValidationError", message);
}

export function invalidConfiguration(message: string): AwsError {
    return new AwsError("InvalidConfigurationRequest", message);
}

export function noBalancer(): AwsError {
    return new AwsError("LoadBalancerNotFound", "One or more load balancers not found");
}

export function noTargetGroup(): AwsError {
    return new AwsError("TargetGroupNotFound", "One or more target groups not found");
}
