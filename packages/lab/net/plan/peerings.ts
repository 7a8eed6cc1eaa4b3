import { type Peering, peerings } from "../../aws/ec2/peering/tables.ts";
import { vpcs } from "../../aws/ec2/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { LONG_PATH_MTU, namespaceName, type Part, VPC_MTU } from "./plan.ts";
import { arrivals, routerLink } from "./router-links.ts";

/** A link between routers for each active peering. Peering is not transitive: packets from it may only go to the VPC's own addresses. */
export function planPeerings(world: Scope, id: string): Part[] {
    const active = peerings
        .in(world)
        .list()
        .flatMap((peering) => usablePeering(world, peering.VpcPeeringConnectionId) ?? []);
    return active.flatMap(({ VpcPeeringConnectionId, RequesterVpcInfo: a, AccepterVpcInfo: b }) => {
        const mtu = a.Region === b.Region ? VPC_MTU : LONG_PATH_MTU;
        return routerLink(VpcPeeringConnectionId, namespaceName(id, a.VpcId), namespaceName(id, b.VpcId), mtu).concat(
            [a, b].map(({ VpcId }) => arrivals(namespaceName(id, VpcId), VpcPeeringConnectionId)),
        );
    });
}

/** The peering if it is active and both VPCs exist. */
export function usablePeering(scope: Scope, id: string): Readonly<Peering> | undefined {
    const peering = peerings.in(scope).get(id);
    const sides = peering ? [peering.RequesterVpcInfo, peering.AccepterVpcInfo] : [];
    const exist = sides.every(({ OwnerId, Region, VpcId }) => vpcs.in(scope.at({ account: OwnerId, region: Region })).get(VpcId));
    return peering?.Status.Code === "active" && exist ? peering : undefined;
}
