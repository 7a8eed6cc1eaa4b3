import { describe, test } from "vitest";
import { NAT_GATEWAYS_PER_ZONE } from "../../../aws/ec2/nat-gateways.ts";
import { ROUTE_TABLES_PER_VPC } from "../../../aws/ec2/routes/route-tables.ts";
import { ROUTES_PER_TABLE } from "../../../aws/ec2/routes/routes.ts";
import { GROUPS_PER_REGION } from "../../../aws/ec2/security-groups/groups.ts";
import { SUBNETS_PER_VPC } from "../../../aws/ec2/subnets.ts";
import { TRANSIT_GATEWAYS } from "../../../aws/ec2/transit/gateways.ts";
import { CIDRS_PER_VPC } from "../../../aws/ec2/vpc-cidrs.ts";
import { refused } from "../kept-rules.ts";
import { IRELAND } from "../places.ts";
import { createWorld } from "../world.ts";

describe("quotas", () => {
    test("of internet gateways, NAT gateways per zone, route tables, subnets and CIDRs per VPC, security groups and transit gateways", async () => {
        const w = createWorld();
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

    test("of routes per table", async () => {
        const w = createWorld();
        const VpcId = await w.vpc();
        const route = { RouteTableId: await w.table(VpcId), GatewayId: await w.gateway(VpcId) };
        w.aws.setQuota(IRELAND, ROUTES_PER_TABLE, 2);
        await w.ec2.createRoute({ ...route, DestinationCidrBlock: "10.1.0.0/16" });
        await refused(w.ec2.createRoute({ ...route, DestinationCidrBlock: "10.2.0.0/16" }), "RouteLimitExceeded");
    });
});
