import { contains } from "../network/cidr.ts";
import type { Traffic } from "../network/traffic.ts";
import type { ClusterEvidence, MeshEvidence } from "./evidence.ts";

interface Route {
    table: string;
    destination: string;
    target: string;
    state: string;
}

const CIDR = /^[\d.]+\/\d+$/;

/** Whether AWS's state of a connection means that it carries packets. */
export function carriesPackets(state: string | undefined): boolean {
    return state === "active" || state === "available";
}

/** Id of the connection to which a cluster's routes to a peer must lead. */
export function connectionOf({ network, connections }: MeshEvidence, from: ClusterEvidence, to: ClusterEvidence): string | undefined {
    if (network === "transit-gateway") return connections[from.facts.region];
    return connections[`${from.facts.name}.${to.facts.name}`] ?? connections[`${to.facts.name}.${from.facts.name}`];
}

/**
 * The route by which packets for a block go wrong: a narrower one to another target, or the block's own. "none": there is no route; undefined: all is right.
 *
 * @param connected whether the connection carries packets; if not, every route to it is a black hole, which is no fault of the route
 */
export function wrongRoute(
    routes: readonly Route[],
    { table, block, target, connected }: { table: string; block: string; target: string; connected: boolean },
): Route | "none" | undefined {
    const inTable = routes.filter((route) => route.table === table);
    const narrower = inTable.find(({ destination, target: other }) => isWithin(destination, block) && other !== target);
    if (narrower) return narrower;
    const route = longestMatch(inTable, block);
    if (route?.target === target && (route.state === "active" || !connected)) return undefined;
    return route ?? "none";
}

/** The route that a packet for the block takes: the one with the longest prefix. */
function longestMatch(routes: readonly Route[], block: string): Route | undefined {
    const prefix = ({ destination }: Route) => Number(destination.split("/")[1]);
    return routes
        .filter(({ destination }) => CIDR.test(destination) && contains(destination, block))
        .toSorted((a, b) => prefix(b) - prefix(a))[0];
}

/** Whether a block is a proper part of another. */
function isWithin(block: string, outer: string): boolean {
    return block !== outer && CIDR.test(block) && contains(outer, block);
}

/** Whether an ingress rule admits all of the traffic. Port -1: all ports, or all ICMP types. */
export function admits(
    rule: Traffic & { group: string; source: string },
    wanted: Traffic & { securityGroupId: string; source: string },
): boolean {
    if (rule.group !== wanted.securityGroupId || !contains(rule.source, wanted.source)) return false;
    if (rule.protocol === "-1") return true;
    if (rule.protocol !== wanted.protocol) return false;
    const { fromPort = -1, toPort = -1 } = rule;
    if (fromPort === -1) return true;
    if (rule.protocol === "icmp") return fromPort === wanted.fromPort;
    return fromPort <= (wanted.fromPort ?? 0) && toPort >= (wanted.toPort ?? 65535);
}
