import { instances } from "../../aws/autoscaling.ts";
import { interfaces, type NetworkInterface } from "../../aws/ec2/tables.ts";
import { forwardsTo } from "../../aws/elb/forwarding.ts";
import {
    type Listener,
    type LoadBalancer,
    listeners,
    loadBalancers,
    type TargetGroup,
    targetGroups,
    targetsOf,
} from "../../aws/elb/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { type Check, type MeasuredHealth, namespaceName, type Part } from "./plan.ts";

/** A target from the view of one interface of a balancer. */
interface Target {
    /** Key of its health. */
    key: string;
    address: string;
    port: number;
    isDraining: boolean;
    health: MeasuredHealth | undefined;
}

/** The plan of one interface of a balancer. */
interface BalancerPlan {
    part: Part;
    checks: [string, Check][];
}

/** The key of a target's health: the interface that checks it, then target group and target as in the simulated ELB. */
export const healthKey = (interfaceId: string, groupArn: string, targetId: string): string => `${interfaceId} ${groupArn} ${targetId}`;

/**
 * The active network load balancers of a region.
 *
 * The kernel forwards. It translates a connection's destination to a healthy target and its source to the interface's own address, as without client IP
 * preservation, so the client completes its handshake with the target. Differences from AWS: health checks are TCP only, and a terminated connection is reset
 * at its next packet instead of at once.
 */
export function planBalancers(scope: Scope, id: string, health: ReadonlyMap<string, MeasuredHealth>): BalancerPlan[] {
    return loadBalancers
        .in(scope)
        .list()
        .filter(({ State }) => State.Code === "active")
        .flatMap((balancer) =>
            balancer.interfaces.flatMap((interfaceId) => {
                const eni = interfaces.in(scope).get(interfaceId);
                return eni ? planBalancerInterface(scope, id, balancer, eni, health) : [];
            }),
        );
}

function planBalancerInterface(
    scope: Scope,
    id: string,
    balancer: Readonly<LoadBalancer>,
    eni: Readonly<NetworkInterface>,
    health: ReadonlyMap<string, MeasuredHealth>,
): BalancerPlan {
    const namespace = namespaceName(id, eni.NetworkInterfaceId);
    const forwarded = listeners
        .in(scope)
        .list()
        .filter(({ LoadBalancerArn }) => LoadBalancerArn === balancer.LoadBalancerArn)
        .flatMap((listener) => {
            const group = targetGroups.in(scope).get(listener.DefaultActions[0]?.TargetGroupArn ?? "");
            return group ? { listener, group, targets: targetsAt(scope, balancer, eni, group, health) } : [];
        });
    const checks = forwarded.flatMap(({ group, targets }) =>
        targets.flatMap(({ key, address, port, isDraining }): [string, Check][] => {
            if (isDraining || !group.HealthCheckEnabled) return [];
            const to = `${address}:${group.HealthCheckPort === "traffic-port" ? port : group.HealthCheckPort}`;
            return [[key, { namespace, from: eni.PrivateIpAddress, to, ...checkSettings(group) }]];
        }),
    );
    const rules = forwarded.flatMap(({ listener, group, targets }) =>
        protocolsOf(listener).map((protocol) => forwarding(protocol, listener, group, targets)),
    );
    const body = [
        chain(
            "prerouting",
            "nat hook prerouting priority dstnat",
            rules.flatMap(({ translate }) => translate),
        ),
        chain("postrouting", "nat hook postrouting priority srcnat", [`oifname "eth0" ct status dnat snat to ${eni.PrivateIpAddress}`]),
        // A listener without a healthy target refuses connections. Other ports drop them.
        chain("input", "filter hook input priority filter; policy drop", [
            'iifname "lo" accept',
            "ct state established,related accept",
            ...rules.flatMap(({ refuse }) => refuse),
        ]),
        chain("forward", "filter hook forward priority filter; policy drop", [
            ...rules.flatMap(({ terminate }) => terminate),
            "ct status dnat accept",
        ]),
    ];
    return { part: { namespace: { name: namespace, tables: { balancer: body.join("\n") } } }, checks };
}

function targetsAt(
    scope: Scope,
    balancer: Readonly<LoadBalancer>,
    { NetworkInterfaceId }: Readonly<NetworkInterface>,
    { TargetGroupArn }: Readonly<TargetGroup>,
    health: ReadonlyMap<string, MeasuredHealth>,
): Target[] {
    return targetsOf(scope, TargetGroupArn).flatMap((target) => {
        const instance = instances.in(scope).get(target.Id);
        if (!instance || !forwardsTo(scope, balancer, NetworkInterfaceId, target, instance)) return [];
        const key = healthKey(NetworkInterfaceId, TargetGroupArn, target.Id);
        const isDraining = target.State === "draining";
        return { key, address: instance.PrivateIpAddress, port: target.Port, isDraining, health: health.get(key) };
    });
}

function checkSettings(group: Readonly<TargetGroup>) {
    return {
        intervalMilliseconds: group.HealthCheckIntervalSeconds * 1_000,
        timeoutMilliseconds: group.HealthCheckTimeoutSeconds * 1_000,
        healthyThreshold: group.HealthyThresholdCount,
        unhealthyThreshold: group.UnhealthyThresholdCount,
    };
}

type Protocol = "tcp" | "udp";
const protocolsOf = ({ Protocol }: Readonly<Listener>): Protocol[] =>
    (["tcp", "udp"] as const).filter((protocol) => Protocol.toLowerCase().includes(protocol));

/** The nftables rules of one listener. A mark on its connections identifies them after their target has been deregistered or has become unhealthy. */
function forwarding(protocol: Protocol, { Port }: Readonly<Listener>, { attributes }: Readonly<TargetGroup>, targets: readonly Target[]) {
    const isOn = (name: string) => attributes[`${name}.connection_termination.enabled`] === "true";
    const mark = Port + (protocol === "udp" ? 0x10000 : 0);
    const healthy = targets.filter(({ health, isDraining }) => health === "healthy" && !isDraining);
    const socket = ({ address, port }: Target) => `${address} . ${port}`;
    const choice = healthy.map((target, i) => `${i} : ${socket(target)}`).join(", ");
    const refusal = protocol === "tcp" ? "reject with tcp reset" : "drop";
    const unhealthy = isOn("target_health_state.unhealthy") ? targets.filter(({ health }) => health === "unhealthy") : [];
    const kept = targets.filter((target) => !unhealthy.includes(target));
    const bothDirections = (chosen: readonly Target[], verdict: string) => {
        const list = `{ ${chosen.map(socket).join(", ")} }`;
        if (chosen.length === 0) return [];
        return [
            `ct mark ${mark} ct direction original ip daddr . ${protocol} dport ${list} ${verdict}`,
            `ct mark ${mark} ct direction reply ip saddr . ${protocol} sport ${list} ${verdict}`,
        ];
    };
    return {
        translate:
            healthy.length > 0
                ? [
                      `iifname "eth0" ${protocol} dport ${Port} ct mark set ${mark} dnat ip to numgen random mod ${healthy.length} map { ${choice} }`,
                  ]
                : [],
        refuse: healthy.length > 0 || protocol === "udp" ? [] : [`tcp dport ${Port} ${refusal}`],
        terminate: isOn("deregistration_delay")
            ? [...bothDirections(kept, "accept"), `ct mark ${mark} ${refusal}`]
            : bothDirections(unhealthy, refusal),
    };
}

function chain(name: string, type: string, rules: readonly string[]): string {
    return [`chain ${name} {`, ...[`type ${type}`, ...rules].map((line) => `    ${line}`), "}"].join("\n");
}
