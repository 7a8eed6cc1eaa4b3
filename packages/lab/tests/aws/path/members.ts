import { type Endpoint, type FindTargets, pathBetween, type Traffic } from "../../../aws/path/path.ts";
import { IRELAND } from "../places.ts";
import { createWorld, type World } from "../world.ts";

export const ETCD: Traffic = { protocol: "tcp", port: 2379 };
export type Ec2 = World["ec2"];

/** A VPC like that of a cluster: a subnet with its own route table, a security group, and a node. */
export async function createMember(w: World, ec2: Ec2, place: typeof IRELAND, octet: number) {
    const cidr = `10.${octet}.0.0/16`;
    const vpcId = await w.vpc(cidr, ec2);
    const zone = `${place.region}a`;
    const { SubnetId } = (await ec2.createSubnet({ VpcId: vpcId, CidrBlock: `10.${octet}.0.0/24`, AvailabilityZone: zone })).Subnet;
    const tableId = await w.table(vpcId, ec2);
    await ec2.associateRouteTable({ SubnetId, RouteTableId: tableId });
    const groupId = await w.group(vpcId, "nodes", ec2);
    const address = `10.${octet}.0.10`;
    await ec2.createNetworkInterface({ SubnetId, Groups: [groupId], PrivateIpAddress: address });
    const node: Endpoint = { ...place, vpcId, address };
    return { ec2, place, cidr, vpcId, subnetId: SubnetId, tableId, groupId, node };
}
export type Member = Awaited<ReturnType<typeof createMember>>;

export const admit = ({ ec2, groupId }: Member, CidrIp: string) =>
    ec2.authorizeSecurityGroupIngress({
        GroupId: groupId,
        IpPermissions: [{ IpProtocol: "tcp", FromPort: 2379, ToPort: 2379, IpRanges: [{ CidrIp }] }],
    });
export const route = ({ ec2, tableId }: Member, { cidr }: Member, target: { VpcPeeringConnectionId?: string; TransitGatewayId?: string }) =>
    ec2.createRoute({ RouteTableId: tableId, DestinationCidrBlock: cidr, ...target });
export const unroute = ({ ec2, tableId }: Member, { cidr }: Member) =>
    ec2.deleteRoute({ RouteTableId: tableId, DestinationCidrBlock: cidr });
export const follow = ({ aws }: World, from: Endpoint, to: Endpoint | { address: string }, traffic = ETCD, findTargets?: FindTargets) =>
    aws.edit(from, (scope) => pathBetween(scope, from, to, traffic, findTargets));

/** Two members joined by a peering, with routes and rules in both directions. */
export async function createPeered(far: { ec2: (w: World) => Ec2; place: typeof IRELAND }) {
    const w = createWorld();
    const [a, b] = [await createMember(w, w.ec2, IRELAND, 0), await createMember(w, far.ec2(w), far.place, 1)];
    const request = { VpcId: a.vpcId, PeerVpcId: b.vpcId, PeerOwnerId: far.place.account, PeerRegion: far.place.region };
    const { VpcPeeringConnectionId } = (await a.ec2.createVpcPeeringConnection(request)).VpcPeeringConnection;
    w.pass(1_000);
    await b.ec2.acceptVpcPeeringConnection({ VpcPeeringConnectionId });
    w.pass(1_000);
    await Promise.all([
        route(a, b, { VpcPeeringConnectionId }),
        route(b, a, { VpcPeeringConnectionId }),
        admit(a, b.cidr),
        admit(b, a.cidr),
    ]);
    return { w, a, b, VpcPeeringConnectionId };
}
export const SAME = { ec2: (w: World) => w.ec2, place: IRELAND };
