import { aclActions } from "./ec2-acls.ts";
import { flowLogActions, flowLogs } from "./ec2-flow-logs.ts";
import { addressActions, internetGatewayActions } from "./ec2-gateways.ts";
import { groupRuleActions } from "./ec2-group-rules.ts";
import { groupActions } from "./ec2-groups.ts";
import { interfaceActions } from "./ec2-interfaces.ts";
import { launchTemplateActions, launchTemplates } from "./ec2-launch-templates.ts";
import { natGatewayActions } from "./ec2-nat.ts";
import { peeringActions } from "./ec2-peering.ts";
import { peerings } from "./ec2-peering-tables.ts";
import { routeTableActions } from "./ec2-route-tables.ts";
import { routeActions } from "./ec2-routes.ts";
import { subnetActions } from "./ec2-subnets.ts";
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
} from "./ec2-tables.ts";
import { type Taggable, tagActions } from "./ec2-tags.ts";
import { transitGatewayActions } from "./ec2-transit.ts";
import { vpcAttachmentActions } from "./ec2-transit-attachments.ts";
import { transitPeeringActions } from "./ec2-transit-peering.ts";
import { transitRouteTableActions } from "./ec2-transit-route-tables.ts";
import { peeringAttachments, transitGateways, transitRouteTables, vpcAttachments } from "./ec2-transit-tables.ts";
import { vpcActions } from "./ec2-vpc.ts";
import type { Scope } from "./scope.ts";
import { zoneActions } from "./zones.ts";

/** All that EC2 keeps: what can be tagged, and what must be gone after the last destroy. */
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

/** Simulated EC2: networking, launch templates and tags. No instances: those are made by what makes node groups. */
export const ec2 = (scope: Scope) => ({
    ...vpcActions(scope),
    ...aclActions(scope),
    ...subnetActions(scope),
    ...zoneActions(scope),
    ...internetGatewayActions(scope),
    ...addressActions(scope),
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
    ...tagActions(EC2_TABLES)(scope),
});
