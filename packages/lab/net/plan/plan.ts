import { interfaces, type NetworkInterface } from "../../aws/ec2/tables.ts";
import type { Scope } from "../../aws/scope.ts";

/** The wanted state of the kernel network, and what netd runs on it. Namespaces are named as below /run/netns. */
export interface NetworkPlan {
    namespaces: ReadonlyMap<string, NamespacePlan>;
    links: ReadonlyMap<string, Link>;
    checks: ReadonlyMap<string, Check>;
    relays: ReadonlyMap<string, Relay>;
}

export interface NamespacePlan {
    /** By their subject: a changed statement replaces the one with the same key. */
    statements: ReadonlyMap<string, Statement>;
    /** Bodies of nftables tables of family `ip`, by name. */
    tables: ReadonlyMap<string, string>;
}

/** An object that `ip` adds, replaces and deletes. */
export interface Statement {
    object: "address" | "route" | "rule";
    text: string;
}

/** A pair of virtual Ethernet interfaces, each in a namespace of its own. */
export interface Link {
    ends: readonly [LinkEnd, LinkEnd];
    /** The largest packet, in bytes. */
    mtu: number;
}

export interface LinkEnd {
    namespace: string;
    name: string;
    mac?: string;
    /** Set between routers: every packet is for the other end, so ARP is not needed. Both ends then have the same MAC address. */
    withoutArp?: true;
}

/** A health check: TCP connections from an interface of a load balancer to a target, at an interval. */
export interface Check {
    namespace: string;
    from: string;
    /** `10.0.1.5:32379` */
    to: string;
    intervalMilliseconds: number;
    timeoutMilliseconds: number;
    /** Number of successes in a row after which the target is healthy. */
    healthyThreshold: number;
    /** Number of failures in a row after which the target is unhealthy. */
    unhealthyThreshold: number;
}

export type MeasuredHealth = "healthy" | "unhealthy";

/** Forwards connections from a port in a namespace to a loopback port of the machine. Either end may be the path of a Unix socket. */
export interface Relay {
    /** @default the namespace in which netd runs */
    namespace?: string;
    /** `10.0.0.5:443` */
    listen: string;
    to: string;
}

/** A part of the plan. Several parts may add to the same namespace; otherwise parts are disjoint. */
export interface Part {
    namespace?: { name: string; statements?: readonly (Statement & { key: string })[]; tables?: Readonly<Record<string, string>> };
    link?: Link;
}

/** Largest packets in bytes (EC2 user guide, "Network MTU"): within a VPC and over peerings within a region, and on every other path. */
export const VPC_MTU = 9001;
export const LONG_PATH_MTU = 8500;

/** The namespace of a resource: a VPC (its router), a transit gateway or an interface. */
export const namespaceName = (id: string, resourceId: string): string => `${id}-${resourceId}`;

/** The name of a resource's link, at most 15 characters because of the kernel's limit. `eni-0123456789abcdef0` → `eni-6789abcdef0` */
export const linkName = (resourceId: string): string => `${resourceId.slice(0, 3)}-${resourceId.slice(-11)}`;

/** The number of a resource's routing table. Starts at 1,000, because the kernel's own tables have small numbers. */
export const tableNumber = (resourceId: string): number => 1_000 + Number.parseInt(resourceId.slice(-7), 16);

export const address = (text: string, device: string): Statement & { key: string } => statement("address", `${text} dev ${device}`);

/** @param nextHop for instance `dev x`, or `blackhole` or `throw` */
export function route(destination: string, nextHop: string, table: number | "main" = "main"): Statement & { key: string } {
    const to = destination === "0.0.0.0/0" ? "default" : destination;
    const text = nextHop === "blackhole" || nextHop === "throw" ? `${nextHop} ${to}` : `${to} ${nextHop}`;
    return { object: "route", key: `route ${to} table ${table}`, text: `${text} table ${table}` };
}

/** @param priority rules with lower numbers are evaluated first */
export const rule = (priority: number, selector: string, table: number | "main"): Statement & { key: string } =>
    statement("rule", `priority ${priority} ${selector} lookup ${table}`);

function statement(object: Statement["object"], text: string): Statement & { key: string } {
    return { object, key: `${object} ${text}`, text };
}

/** Whether the interface belongs to something that can send and receive packets. Interfaces of a transit gateway are only the ends of its links. */
export function isAttached({ Status, InterfaceType }: Readonly<NetworkInterface>): boolean {
    return Status === "in-use" && InterfaceType !== "transit_gateway";
}

/** The attached interfaces of a VPC. */
export function attachedIn(scope: Scope, vpcId: string): Readonly<NetworkInterface>[] {
    return interfaces
        .in(scope)
        .list()
        .filter((eni) => eni.VpcId === vpcId && isAttached(eni));
}
