import { vpcs } from "../../aws/ec2/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { planBalancers } from "./balancers.ts";
import { planPeerings } from "./peerings.ts";
import type { Link, MeasuredHealth, NetworkPlan, Part, Statement } from "./plan.ts";
import { planRelays } from "./relays.ts";
import { planSourceNat } from "./source-nat.ts";
import { planTransit } from "./transit.ts";
import { planVpc } from "./vpc.ts";

/**
 * Plans the kernel network of the simulated AWS, for all accounts and regions.
 *
 *     instance's eth0 ──┐                                                            ┌── eth0 …
 *     balancer's eth0 ──┤ router of a VPC ──(peering)── router of a VPC ──(attachment)── transit gateway
 *     API server's eth0 ┘   its subnets' route tables, and the security groups of all its interfaces
 *
 * Security groups are enforced where an interface's link ends in the router, as AWS does outside the instance. Nothing in a node's namespace, such as
 * kube-proxy or Cilium's programs on eth0, can bypass them or is affected by them.
 *
 * Not supported: the internet (routes to internet gateways drop), DNS, network ACLs, IPv6, and client IP preservation by load balancers.
 *
 * @param id prefix of the names of all namespaces
 */
export function planNetwork(world: Scope, id: string, health: ReadonlyMap<string, MeasuredHealth>): NetworkPlan {
    const balancers = world.places.flatMap((place) => planBalancers(world.at(place), id, health));
    const parts: Part[] = [
        ...world.places.flatMap((place) =>
            vpcs
                .in(world.at(place))
                .list()
                .flatMap((vpc) => planVpc(world.at(place), id, vpc)),
        ),
        ...planPeerings(world, id),
        ...planTransit(world, id),
        ...world.places.flatMap((place) => planSourceNat(world.at(place), id)),
        ...balancers.map(({ part }) => part),
    ];
    return {
        ...merged(parts),
        checks: new Map(balancers.flatMap(({ checks }) => checks)),
        relays: new Map(world.places.flatMap((place) => planRelays(world.at(place), id))),
    };
}

function merged(parts: readonly Part[]): Pick<NetworkPlan, "namespaces" | "links"> {
    const namespaces = new Map<string, { statements: Map<string, Statement>; tables: Map<string, string> }>();
    const links = new Map<string, Link>();
    for (const { namespace, link } of parts) {
        if (namespace) {
            const known = namespaces.get(namespace.name) ?? { statements: new Map(), tables: new Map() };
            namespaces.set(namespace.name, known);
            // The first statement wins, as AWS uses the first of two routes to the same block.
            for (const { key, ...statement } of namespace.statements ?? [])
                if (!known.statements.has(key)) known.statements.set(key, statement);
            for (const [name, body] of Object.entries(namespace.tables ?? {})) known.tables.set(name, body);
        }
        if (link) links.set(link.ends.map((end) => `${end.namespace}/${end.name}`).join(" "), link);
    }
    return { namespaces, links };
}
