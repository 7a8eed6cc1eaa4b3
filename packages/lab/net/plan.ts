import { interfaces, type NetworkInterface } from "../aws/ec2/tables.ts";
import type { Scope } from "../aws/scope.ts";

/** What the kernel is to hold, and what is to run on it. Names of namespaces are those below /run/netns. */
export interface NetworkPlan {
    namespaces: ReadonlyMap<string, NamespacePlan>;
    links: ReadonlyMap<string, Link>;
    checks: ReadonlyMap<string, Check>;
    relays: ReadonlyMap<string, Relay>;
}

export interface NamespacePlan {
    /** By what each of them is about: a changed statement with the same key takes the other's place. */
    statements: ReadonlyMap<string, Statement>;
    /** Bodies of nftables' tables of family `ip`, by name. */
    tables: ReadonlyMap<string, string>;
}

/** Something that `ip` adds, replaces and deletes. */
export interface Statement {
    object: "address" | "route" | "rule";
    text: string;
}

/** A pair of virtual Ethernet interfaces, each in a namespace of its own. */
export interface Link {
    ends: readonly [LinkEnd, LinkEnd];
    /** The largest packet, bytes. */
    mtu: number;
}
export interface LinkEnd {
    namespace: string;
    name: string;
    mac?: string;
    /** Between routers: whatever is sent is for the other end, so no addresses are asked for. Both ends then have one MAC. */
    withoutArp?: true;
}

/** A connection that an interface of a load balancer makes to a target, again and again, to know whether it is well. */
export interface Check {
    namespace: string;
    from: string;
    /** `10.0.1.5:32379` */
    to: string;
    intervalMilliseconds: number;
    timeoutMilliseconds: number;
    /** So many good ones in a row make it healthy. */
    healthyThreshold: number;
    /** So many failures in a row make it unhealthy. */
    unhealthyThreshold: number;
}
export type MeasuredHealth = "healthy" | "unhealthy";

/** A port in a namespace from which connections are carried to a loopback port of the machine. Either end may be the path of a unix socket. */
export interface Relay {
    /** Default: the one that netd runs in. */
    namespace?: string;
    /** `10.0.0.5:443` */
    listen: string;
    to: string;
}

/** A part of the plan; parts are disjoint but for the namespaces, to which several may add. */
export interface Part {
    namespace?: { name: string; statements?: readonly (Statement & { key: string })[]; tables?: Readonly<Record<string, string>> };
    link?: Link;
}

/** Largest packets: within a VPC and over peerings within a region, and everywhere else (EC2 user guide, "Network MTU"). */
export const VPC_MTU = 9001;
export const LONG_PATH_MTU = 8500;

/** Of a VPC's router, or a transit gateway, or an interface: anything that has an id. */
export const namespaceName = (id: string, resourceId: string): string => `${id}-${resourceId}`;

/** A link's name: at most 15 characters, which is all that the kernel takes. `eni-0123456789abcdef0` → `eni-6789abcdef0` */
export const linkName = (resourceId: string): string => `${resourceId.slice(0, 3)}-${resourceId.slice(-11)}`;

/** The number of a routing table, from the id of what it belongs to. The kernel's own tables have small numbers. */
export const tableNumber = (resourceId: string): number => 1_000 + Number.parseInt(resourceId.slice(-7), 16);

export const address = (text: string, device: string): Statement & { key: string } => statement("address", `${text} dev ${device}`);

/** @param how where it leads: `dev x`, or `blackhole` or `throw` */
export function route(destination: string, how: string, table: number | "main" = "main"): Statement & { key: string } {
    const to = destination === "0.0.0.0/0" ? "default" : destination;
    const text = how === "blackhole" || how === "throw" ? `${how} ${to}` : `${to} ${how}`;
    return { object: "route", key: `route ${to} table ${table}`, text: `${text} table ${table}` };
}

/** @param priority lower ones are looked at first */
export const rule = (priority: number, selector: string, table: number | "main"): Statement & { key: string } =>
    statement("rule", `priority ${priority} ${selector} lookup ${table}`);

function statement(object: Statement["object"], text: string): Statement & { key: string } {
    return { object, key: `${object} ${text}`, text };
}

/** Whether somebody could be behind an interface. A transit gateway's are only the places where its links begin. */
export function isAttached({ Status, InterfaceType }: Readonly<NetworkInterface>): boolean {
    return Status === "in-use" && InterfaceType !== "transit_gateway";
}

/** The attached interfaces of a VPC. */
export function attachedIn(scope: Scope, vpcId: string): Readonly<NetworkInterface>[] {
    return interfaces
        .in(scope)
        .list()
        .filter((one) => one.VpcId === vpcId && isAttached(one));
}
