import type { Scope } from "../scope.ts";
import { cidrReservationActions } from "./cidr-reservations.ts";
import { elasticIpActions } from "./elastic-ips.ts";
import { flowLogActions, flowLogs } from "./flow-logs.ts";
import { interfaceActions } from "./interfaces.ts";
import { internetGatewayActions } from "./internet-gateways.ts";
import { launchTemplateActions, launchTemplates } from "./launch-templates.ts";
import { natGatewayActions } from "./nat-gateways.ts";
import { aclActions } from "./network-acls.ts";
import { peeringActions } from "./peering/peering.ts";
import { peerings } from "./peering/tables.ts";
import { routeTableActions } from "./routes/route-tables.ts";
import { routeActions } from "./routes/routes.ts";
import { groupActions } from "./security-groups/groups.ts";
import { groupRuleActions } from "./security-groups/rules.ts";
import { subnetActions } from "./subnets.ts";
import {
    addresses,
    interfaces,
    internetGateways,
    natGateways,
    networkAcls,
    reservations,
    routeTables,
    securityGroupRules,
    securityGroups,
    subnets,
    vpcs,
} from "./tables.ts";
import { type Taggable, tagActions } from "./tags.ts";
import { vpcAttachmentActions } from "./transit/attachments.ts";
import { transitGatewayActions } from "./transit/gateways.ts";
import { transitPeeringActions } from "./transit/peering.ts";
import { transitRouteActions } from "./transit/route-actions.ts";
import { transitRouteTableActions } from "./transit/route-tables.ts";
import { peeringAttachments, transitGateways, transitRouteTables, vpcAttachments } from "./transit/tables.ts";
import { vpcActions } from "./vpc.ts";
import { vpcCidrActions } from "./vpc-cidrs.ts";
import { zoneActions } from "./zones.ts";

/** The tables of EC2: what can be tagged, and what must be empty after the last destroy. */
export const EC2_TABLES: readonly Taggable[] = [
    { type: "vpc", prefix: "vpc", table: vpcs },
    { type: "network-acl", prefix: "acl", table: networkAcls },
    { type: "subnet", prefix: "subnet", table: subnets },
    { type: "subnet-cidr-reservation", prefix: "scr", table: reservations },
    { type: "internet-gateway", prefix: "igw", table: internetGateways },
    { type: "elastic-ip", prefix: "eipalloc", table: addresses },
    { type: "natgateway", prefix: "nat", table: natGateways },
    { type: "route-table", prefix: "rtb", table: routeTables },
    { type: "security-group", prefix: "sg", table: securityGroups },
    { type: "security-group-rule", prefix: "sgr", table: securityGroupRules },
    { type: "network-interface", prefix: "eni", table: interfaces },
    { type: "vpc-peering-connection", prefix: "pcx", table: peerings },
    { type: "vpc-flow-log", prefix: "fl", table: flowLogs },
    { type: "launch-template", prefix: "lt", table: launchTemplates },
    { type: "transit-gateway", prefix: "tgw", table: transitGateways },
    { type: "transit-gateway-attachment", prefix: "tgw-attach", table: vpcAttachments },
    { type: "transit-gateway-attachment", prefix: "tgw-attach", table: peeringAttachments },
    { type: "transit-gateway-route-table", prefix: "tgw-rtb", table: transitRouteTables },
];

/** Simulated EC2: networking, launch templates and tags. There are no actions on instances: EKS node groups create them. */
export const ec2 = (scope: Scope) => ({
    ...vpcActions(scope),
    ...vpcCidrActions(scope),
    ...aclActions(scope),
    ...subnetActions(scope),
    ...cidrReservationActions(scope),
    ...zoneActions(scope),
    ...internetGatewayActions(scope),
    ...elasticIpActions(scope),
    ...natGatewayActions(scope),
    ...routeTableActions(scope),
    ...routeActions(scope),
    ...peeringActions(scope),
    ...groupActions(scope),
    ...groupRuleActions(scope),
    ...interfaceActions(scope),
    ...flowLogActions(scope),
    ...launchTemplateActions(scope),
    ...transitGatewayActions(scope),
    ...vpcAttachmentActions(scope),
    ...transitPeeringActions(scope),
    ...transitRouteTableActions(scope),
    ...transitRouteActions(scope),
    ...tagActions(EC2_TABLES)(scope),
});
