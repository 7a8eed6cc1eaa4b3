import { describe, expect, test } from "vitest";
import { NAT_GATEWAYS_PER_ZONE } from "../../aws/ec2/nat-gateways.ts";
import { ROUTE_TABLES_PER_VPC } from "../../aws/ec2/routes/route-tables.ts";
import { ROUTES_PER_TABLE } from "../../aws/ec2/routes/routes.ts";
import { GROUPS_PER_REGION } from "../../aws/ec2/security-groups/groups.ts";
import { SUBNETS_PER_VPC } from "../../aws/ec2/subnets.ts";
import { addTags } from "../../aws/ec2/tags.ts";
import { TRANSIT_GATEWAYS } from "../../aws/ec2/transit/gateways.ts";
import { CIDRS_PER_VPC } from "../../aws/ec2/vpc.ts";
import { IRELAND, OTHERS, refused, world } from "./world.ts";

// Refusals that are no rule of the list: without them a mistake of the program's would pass here and fail at AWS.
describe("security groups", () => {
    test.each([
        ["without a description", { Description: undefined }, "MissingParameter"],
        ["with one beyond ASCII", { Description: "größe" }, "InvalidParameterValue"],
        ["named like an id", { GroupName: "sg-nodes" }, "InvalidParameterValue"],
        ["named default", { GroupName: "default" }, "InvalidGroup.Reserved"],
        ["in no VPC", { VpcId: "vpc-1" }, "InvalidVpcID.NotFound"],
    ])("%s", async (_, wrong, code) => {
        const { ec2, vpc } = world();
        await refused(ec2.createSecurityGroup({ GroupName: "nodes", Description: "nodes", VpcId: await vpc(), ...wrong }), code);
    });

    test("5 of them an interface, and of its own VPC", async () => {
        const { ec2, vpc, subnet, group } = world();
        const VpcId = await vpc();
        const SubnetId = await subnet(VpcId);
        const Groups = await Promise.all([..."abcdef"].map((name) => group(VpcId, name)));
        await refused(ec2.createNetworkInterface({ SubnetId, Groups }), "SecurityGroupsPerInterfaceLimitExceeded");
        await ec2.createNetworkInterface({ SubnetId, Groups: Groups.slice(1) });
        const other = await group(await vpc("10.1.0.0/16"));
        await refused(
            ec2.createNetworkInterface({ SubnetId, Groups: [other] }),
            "InvalidParameter",
            `Security group ${other} and subnet ${SubnetId} belong to different networks.`,
        );
    });

    test("a rule of an unknown protocol, of nobody, or changed into another one", async () => {
        const { ec2, vpc, group } = world();
        const GroupId = await group(await vpc());
        const rule = (IpProtocol: string, port: number) => ({
            IpProtocol,
            FromPort: port,
            ToPort: port,
            IpRanges: [{ CidrIp: "10.1.0.0/16" }],
        });
        await refused(ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [rule("tpc", 1)] }), "InvalidParameterValue");
        const { SecurityGroupRules } = await ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: [rule("tcp", 1), rule("6", 2)] });
        expect(SecurityGroupRules.map((one) => one.IpProtocol)).toEqual(["tcp", "tcp"]);
        const SecurityGroupRuleId = SecurityGroupRules[1]?.SecurityGroupRuleId ?? "";
        const change = (
            SecurityGroupRule: { IpProtocol: string; FromPort: number; ToPort: number; CidrIpv4?: string },
            id = SecurityGroupRuleId,
        ) => ec2.modifySecurityGroupRules({ GroupId, SecurityGroupRules: [{ SecurityGroupRuleId: id, SecurityGroupRule }] });
        const tcp = { IpProtocol: "tcp", FromPort: 1, ToPort: 1 };
        await refused(change({ ...tcp, CidrIpv4: "10.1.0.0/16" }), "InvalidPermission.Duplicate");
        await refused(change(tcp), "InvalidParameterValue");
        await refused(change({ ...tcp, CidrIpv4: "10.2.0.0/16" }, "sgr-1"), "InvalidSecurityGroupRuleId.NotFound");
    });
});

test("an interface's address is one of its subnet's", async () => {
    const { ec2, vpc, subnet } = world();
    const SubnetId = await subnet(await vpc());
    await refused(ec2.createNetworkInterface({ SubnetId, PrivateIpAddress: "10.0.1.9" }), "InvalidParameterValue");
});

test("a full subnet", async () => {
    const { ec2, vpc, subnet } = world();
    const SubnetId = await subnet(await vpc(), "10.0.0.0/28");
    for (const _ of Array(11)) await ec2.createNetworkInterface({ SubnetId });
    await refused(ec2.createNetworkInterface({ SubnetId }), "InsufficientFreeAddressesInSubnet");
});

describe("flow logs", () => {
    const ROLE = "arn:aws:iam::111111111111:role/flows";
    const LOGS = "arn:aws:logs:eu-west-1:111111111111:log-group:flows";

    test("round trip, once for a VPC and a group", async () => {
        const { ec2, vpc } = world();
        const VpcId = await vpc();
        const request = { ResourceIds: [VpcId], ResourceType: "VPC" as const, LogDestination: LOGS, DeliverLogsPermissionArn: ROLE };
        const { FlowLogIds } = await ec2.createFlowLogs(request);
        expect((await ec2.describeFlowLogs({ FlowLogIds })).FlowLogs).toMatchObject([
            {
                ResourceId: VpcId,
                TrafficType: "ALL",
                LogGroupName: "flows",
                FlowLogStatus: "ACTIVE",
                LogFormat: expect.stringMatching(/^\$\{version\} \$\{account-id\} /),
            },
        ]);
        await refused(ec2.createFlowLogs(request), "FlowLogAlreadyExists");
        await ec2.deleteFlowLogs({ FlowLogIds });
        expect((await ec2.describeFlowLogs()).FlowLogs).toEqual([]);
        await refused(ec2.deleteFlowLogs({ FlowLogIds }), "InvalidFlowLogId.NotFound");
    });

    test("need a role to write with, and a VPC", async () => {
        const { ec2, vpc } = world();
        const request = { ResourceIds: [await vpc()], ResourceType: "VPC" as const, LogDestination: LOGS };
        await refused(ec2.createFlowLogs(request), "InvalidParameter");
        await refused(ec2.createFlowLogs({ ...request, ResourceIds: ["vpc-1"] }), "InvalidVpcID.NotFound");
    });
});

describe("tags", () => {
    const aws = [{ Key: "aws:eks:cluster-name", Value: "a" }];

    test("AWS's own are for its services", async () => {
        const w = world();
        const VpcId = await w.vpc();
        await refused(w.ec2.createTags({ Resources: [VpcId], Tags: aws }), "InvalidParameterValue");
        w.aws.edit(IRELAND, (scope) => addTags(scope, VpcId, aws));
        expect((await w.ec2.describeTags()).Tags).toEqual([{ ...aws[0], ResourceId: VpcId, ResourceType: "vpc" }]);
    });

    test("only on what is there, of the right kind, 50 at most", async () => {
        const { ec2, vpc } = world();
        const VpcId = await vpc();
        const tag = (i: number) => ({ Key: `k${i}`, Value: "v" });
        await refused(ec2.createTags({ Resources: [VpcId.replace("vpc", "subnet")], Tags: [tag(1)] }), "InvalidID");
        await refused(
            ec2.createVpc({ CidrBlock: "10.0.0.0/16", TagSpecifications: [{ ResourceType: "subnet", Tags: [tag(1)] }] }),
            "InvalidParameterValue",
        );
        await ec2.createTags({ Resources: [VpcId], Tags: Array.from({ length: 50 }, (_, i) => tag(i)) });
        await ec2.createTags({ Resources: [VpcId], Tags: [{ Key: "k1", Value: "new" }] });
        await refused(ec2.createTags({ Resources: [VpcId], Tags: [tag(50)] }), "TagLimitExceeded");
    });
});

describe("limits", () => {
    test("internet gateways, NAT gateways of a zone, route tables and subnets of a VPC", async () => {
        const w = world();
        const VpcId = await w.vpc();
        await w.gateway(VpcId);
        for (const _ of Array(4)) await w.ec2.createInternetGateway();
        await refused(w.ec2.createInternetGateway(), "InternetGatewayLimitExceeded");
        const SubnetId = await w.subnet(VpcId);
        w.aws.setQuota(IRELAND, NAT_GATEWAYS_PER_ZONE, 1);
        await w.ec2.createNatGateway({ SubnetId, ConnectivityType: "private" });
        await refused(w.ec2.createNatGateway({ SubnetId, ConnectivityType: "private" }), "NatGatewayLimitExceeded");
        w.aws.setQuota(IRELAND, ROUTE_TABLES_PER_VPC, 2);
        await w.table(VpcId);
        await refused(w.table(VpcId), "RouteTableLimitExceeded");
        w.aws.setQuota(IRELAND, SUBNETS_PER_VPC, 1);
        await refused(w.subnet(VpcId, "10.0.1.0/24"), "SubnetLimitExceeded");
        w.aws.setQuota(IRELAND, GROUPS_PER_REGION, 1);
        await refused(w.group(VpcId), "SecurityGroupLimitExceeded");
        w.aws.setQuota(IRELAND, CIDRS_PER_VPC, 1);
        await refused(w.ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.9.0.0/16" }), "CidrLimitExceeded");
        w.aws.setQuota(IRELAND, TRANSIT_GATEWAYS, 1);
        await w.ec2.createTransitGateway();
        await refused(w.ec2.createTransitGateway(), "TransitGatewayLimitExceeded");
    });

    test("routes of a table", async () => {
        const w = world();
        const VpcId = await w.vpc();
        const route = { RouteTableId: await w.table(VpcId), GatewayId: await w.gateway(VpcId) };
        w.aws.setQuota(IRELAND, ROUTES_PER_TABLE, 2);
        await w.ec2.createRoute({ ...route, DestinationCidrBlock: "10.1.0.0/16" });
        await refused(w.ec2.createRoute({ ...route, DestinationCidrBlock: "10.2.0.0/16" }), "RouteLimitExceeded");
    });
});

describe("NAT gateways", () => {
    test("a public one needs an address that no other one has", async () => {
        const w = world();
        const VpcId = await w.vpc();
        const [SubnetId] = [await w.subnet(VpcId), await w.gateway(VpcId)];
        await refused(w.ec2.createNatGateway({ SubnetId }), "MissingParameter");
        const { AllocationId } = await w.ec2.allocateAddress();
        await w.ec2.createNatGateway({ SubnetId, AllocationId });
        const second = (await w.ec2.createNatGateway({ SubnetId, AllocationId })).NatGateway.NatGatewayId;
        w.pass(10_000);
        expect((await w.ec2.describeNatGateways({ NatGatewayIds: [second] })).NatGateways[0]).toMatchObject({
            State: "failed",
            FailureCode: "Resource.AlreadyAssociated",
        });
    });

    test("routes to one that is gone, or of another VPC", async () => {
        const w = world();
        const [VpcId, other] = [await w.vpc(), await w.vpc("10.1.0.0/16")];
        const { NatGatewayId } = (await w.ec2.createNatGateway({ SubnetId: await w.subnet(VpcId), ConnectivityType: "private" }))
            .NatGateway;
        const route = { DestinationCidrBlock: "0.0.0.0/0", NatGatewayId };
        await refused(w.ec2.createRoute({ ...route, RouteTableId: await w.table(other) }), "InvalidParameterValue");
        await w.ec2.deleteNatGateway({ NatGatewayId });
        w.minutes(1);
        await refused(w.ec2.createRoute({ ...route, RouteTableId: await w.table(VpcId) }), "InvalidNatGatewayID.NotFound");
    });
});

describe("peerings", () => {
    test("blocks that came to overlap since the request cannot be joined", async () => {
        const { ec2, vpc, pass } = world();
        const [VpcId, PeerVpcId] = [await vpc("10.0.0.0/16"), await vpc("10.1.0.0/16")];
        const { VpcPeeringConnection } = await ec2.createVpcPeeringConnection({ VpcId, PeerVpcId });
        pass(1_000);
        await ec2.associateVpcCidrBlock({ VpcId: PeerVpcId, CidrBlock: "10.2.0.0/16" });
        await ec2.associateVpcCidrBlock({ VpcId, CidrBlock: "10.2.0.0/16" });
        await refused(ec2.acceptVpcPeeringConnection(VpcPeeringConnection), "InvalidStateTransition");
    });

    test("a rejected one stays rejected", async () => {
        const { ec2, vpc, pass } = world();
        const request = { VpcId: await vpc("10.0.0.0/16"), PeerVpcId: await vpc("10.1.0.0/16") };
        const { VpcPeeringConnection } = await ec2.createVpcPeeringConnection(request);
        pass(1_000);
        await ec2.rejectVpcPeeringConnection(VpcPeeringConnection);
        for (const again of [ec2.rejectVpcPeeringConnection, ec2.acceptVpcPeeringConnection, ec2.deleteVpcPeeringConnection])
            await refused(again(VpcPeeringConnection), "InvalidStateTransition");
    });
});

describe("launch templates", () => {
    test("named by nothing, or by a name that there is not", async () => {
        const { ec2 } = world();
        await refused(ec2.deleteLaunchTemplate({}), "MissingParameter");
        await refused(ec2.deleteLaunchTemplate({ LaunchTemplateName: "x" }), "InvalidLaunchTemplateName.NotFoundException");
    });
});

describe("RAM", () => {
    test("a share that is deleted shows nothing any more", async () => {
        const w = world();
        const { TransitGateway } = await w.ec2.createTransitGateway();
        const ram = w.aws.in(IRELAND).ram;
        const { resourceShareArn } = (await ram.createResourceShare({ name: "mesh" })).resourceShare;
        await ram.associateResourceShare({
            resourceShareArn,
            resourceArns: [TransitGateway.TransitGatewayArn],
            principals: [OTHERS.account],
        });
        const seen = async () => (await w.others.describeTransitGateways()).TransitGateways.length;
        expect(await seen()).toBe(1);
        const associations = await ram.getResourceShareAssociations({
            associationType: "PRINCIPAL",
            resourceShareArns: [resourceShareArn],
        });
        expect(associations.resourceShareAssociations).toMatchObject([{ associatedEntity: OTHERS.account, status: "ASSOCIATED" }]);
        await ram.disassociateResourceShare({ resourceShareArn, principals: [OTHERS.account] });
        expect(await seen()).toBe(0);
        await ram.associateResourceShare({ resourceShareArn, principals: [OTHERS.account] });
        await ram.deleteResourceShare({ resourceShareArn });
        expect(await seen()).toBe(0);
        await refused(ram.deleteResourceShare({ resourceShareArn }), "UnknownResourceException");
        expect((await ram.getResourceShares({ resourceOwner: "SELF" })).resourceShares).toMatchObject([{ status: "DELETED" }]);
    });
});

describe("routes", () => {
    test("replaced only where there is one, to one target, to a block", async () => {
        const w = world();
        const VpcId = await w.vpc();
        const [RouteTableId, GatewayId] = [await w.table(VpcId), await w.gateway(VpcId)];
        const route = { RouteTableId, DestinationCidrBlock: "0.0.0.0/0" };
        await refused(
            w.ec2.replaceRoute({ ...route, GatewayId }),
            "InvalidParameterValue",
            "There is no route defined for '0.0.0.0/0' in the route table. Use CreateRoute instead.",
        );
        await refused(w.ec2.createRoute(route), "MissingParameter");
        await refused(w.ec2.createRoute({ ...route, GatewayId, NatGatewayId: "nat-1" }), "InvalidParameterCombination");
        await refused(w.ec2.createRoute({ ...route, GatewayId, DestinationCidrBlock: "0.0.0.0" }), "InvalidParameterValue");
    });

    test("the main table stays associated", async () => {
        const { ec2, vpc } = world();
        await vpc();
        const [main] = (await ec2.describeRouteTables()).RouteTables;
        const AssociationId = main?.Associations[0]?.RouteTableAssociationId ?? "";
        await refused(ec2.disassociateRouteTable({ AssociationId }), "InvalidParameterValue");
    });

    test("a subnet is moved from one table to another in one step", async () => {
        const w = world();
        const VpcId = await w.vpc();
        const [SubnetId, first, second] = [await w.subnet(VpcId), await w.table(VpcId), await w.table(VpcId)];
        const { AssociationId } = await w.ec2.associateRouteTable({ SubnetId, RouteTableId: first });
        const { NewAssociationId } = await w.ec2.replaceRouteTableAssociation({ AssociationId, RouteTableId: second });
        const Filters = [{ Name: "association.subnet-id", Values: [SubnetId] }];
        expect((await w.ec2.describeRouteTables({ Filters })).RouteTables).toMatchObject([
            { RouteTableId: second, Associations: [{ RouteTableAssociationId: NewAssociationId }] },
        ]);
    });
});

describe("transit gateways", () => {
    async function hub() {
        const w = world();
        const { TransitGateway } = await w.ec2.createTransitGateway();
        const ref = { TransitGatewayId: TransitGateway.TransitGatewayId };
        const early = w.ec2.modifyTransitGateway({ ...ref, Description: "too early" });
        await refused(early, "IncorrectState");
        w.minutes(2);
        const VpcId = await w.vpc();
        const zoned = async (CidrBlock: string) =>
            (await w.ec2.createSubnet({ VpcId, CidrBlock, AvailabilityZone: "eu-west-1a" })).Subnet.SubnetId;
        const SubnetIds = [await zoned("10.0.0.0/24"), await zoned("10.0.1.0/24")];
        return { w, ref, VpcId, SubnetIds, table: TransitGateway.Options.AssociationDefaultRouteTableId ?? "" };
    }

    test("one subnet a zone, of the VPC itself, an attachment changed or deleted only when it is settled", async () => {
        const { w, ref, VpcId, SubnetIds, table } = await hub();
        const request = { ...ref, VpcId, SubnetIds };
        await refused(w.ec2.createTransitGatewayVpcAttachment(request), "DuplicateSubnetsInSameZone", "Duplicate Subnets for same AZ");
        const foreign = await w.subnet(await w.vpc("10.1.0.0/16"), "10.1.0.0/24");
        await refused(w.ec2.createTransitGatewayVpcAttachment({ ...request, SubnetIds: [foreign] }), "InvalidSubnetID.NotFound");
        const made = await w.ec2.createTransitGatewayVpcAttachment({ ...request, SubnetIds: SubnetIds.slice(1) });
        const id = { TransitGatewayAttachmentId: made.TransitGatewayVpcAttachment.TransitGatewayAttachmentId };
        await refused(w.ec2.acceptTransitGatewayVpcAttachment(id), "IncorrectState");
        await refused(w.ec2.modifyTransitGatewayVpcAttachment({ ...id, AddSubnetIds: SubnetIds }), "IncorrectState");
        await refused(w.ec2.deleteTransitGatewayVpcAttachment(id), "IncorrectState");
        w.minutes(1);
        await refused(w.ec2.deleteTransitGatewayRouteTable({ TransitGatewayRouteTableId: table }), "IncorrectState");
        await w.ec2.modifyTransitGatewayVpcAttachment({ ...id, AddSubnetIds: SubnetIds.slice(0, 1), RemoveSubnetIds: SubnetIds.slice(1) });
        await w.ec2.deleteSubnet({ SubnetId: SubnetIds[1] ?? "" });
        await w.ec2.deleteTransitGatewayVpcAttachment(id);
        await refused(w.ec2.deleteTransitGatewayVpcAttachment(id), "IncorrectState");
    });

    test("what is unknown, or was not there before", async () => {
        const { w, ref, table } = await hub();
        const id = { TransitGatewayAttachmentId: "tgw-attach-1" };
        const inTable = { TransitGatewayRouteTableId: table };
        const block = { DestinationCidrBlock: "10.9.0.0/16" };
        await refused(w.ec2.deleteTransitGatewayVpcAttachment(id), "InvalidTransitGatewayAttachmentID.NotFound");
        await refused(w.ec2.deleteTransitGatewayPeeringAttachment(id), "InvalidTransitGatewayAttachmentID.NotFound");
        await refused(w.ec2.deleteTransitGateway({ TransitGatewayId: "tgw-1" }), "InvalidTransitGatewayID.NotFound");
        await refused(w.ec2.disassociateTransitGatewayRouteTable({ ...inTable, ...id }), "InvalidAssociationID.NotFound");
        await refused(w.ec2.deleteTransitGatewayRoute({ ...inTable, ...block }), "InvalidRoute.NotFound");
        await refused(w.ec2.createTransitGatewayRoute({ ...inTable, DestinationCidrBlock: "x", Blackhole: true }), "InvalidParameterValue");
        await refused(
            w.ec2.createTransitGatewayRoute({ TransitGatewayRouteTableId: "tgw-rtb-1", ...block }),
            "InvalidRouteTableID.NotFound",
        );
        await w.ec2.deleteTransitGateway(ref);
        w.minutes(1);
        expect((await w.ec2.describeTransitGateways()).TransitGateways[0]?.State).toBe("deleted");
        w.minutes(60);
        await refused(w.ec2.describeTransitGateways({ TransitGatewayIds: [ref.TransitGatewayId] }), "InvalidTransitGatewayID.NotFound");
    });

    test("one peering a pair", async () => {
        const w = world();
        const [a, b] = [await w.ec2.createTransitGateway(), await w.virginia.createTransitGateway()].map(
            ({ TransitGateway }) => TransitGateway.TransitGatewayId,
        );
        w.minutes(2);
        const request = {
            TransitGatewayId: a ?? "",
            PeerTransitGatewayId: b ?? "",
            PeerAccountId: IRELAND.account,
            PeerRegion: "us-east-1",
        };
        const { TransitGatewayPeeringAttachment: made } = await w.ec2.createTransitGatewayPeeringAttachment(request);
        await refused(w.ec2.createTransitGatewayPeeringAttachment(request), "DuplicateTransitGatewayAttachment");
        await w.virginia.deleteTransitGatewayPeeringAttachment(made);
        await refused(w.ec2.deleteTransitGatewayPeeringAttachment(made), "IncorrectState");
        w.minutes(1);
        await w.ec2.createTransitGatewayPeeringAttachment(request);
    });
});
