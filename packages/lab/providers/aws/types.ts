import { attachment } from "./autoscaling.ts";
import { flowLog } from "./ec2/flow-log.ts";
import * as gateways from "./ec2/gateways.ts";
import { launchTemplate } from "./ec2/launch-template.ts";
import * as peering from "./ec2/peering.ts";
import * as routes from "./ec2/routes.ts";
import * as securityGroupRules from "./ec2/security-group-rules.ts";
import * as securityGroups from "./ec2/security-groups.ts";
import * as subnets from "./ec2/subnets.ts";
import { vpc } from "./ec2/vpc.ts";
import * as access from "./eks/access.ts";
import { addon } from "./eks/addon.ts";
import { cluster } from "./eks/cluster.ts";
import { nodeGroup } from "./eks/node-group.ts";
import { listener } from "./elb/listener.ts";
import { loadBalancer } from "./elb/load-balancer.ts";
import { targetGroup } from "./elb/target-group.ts";
import * as iam from "./iam.ts";
import { key } from "./kms.ts";
import { logGroup } from "./logs.ts";
import * as ram from "./ram.ts";
import { awsResource, type OpenResource } from "./resource.ts";
import { transitGateway } from "./transit-gateway/gateway.ts";
import * as gatewayPeering from "./transit-gateway/peering-attachment.ts";
import { transitGatewayRoute } from "./transit-gateway/route.ts";
import * as vpcAttachments from "./transit-gateway/vpc-attachment.ts";

/** The resource types that the lab simulates, by the real package's token. */
export const RESOURCE_TYPES: Record<string, OpenResource> = {
    "aws:ec2/vpc:Vpc": awsResource(vpc),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": awsResource(securityGroups.defaultSecurityGroup),
    "aws:ec2/internetGateway:InternetGateway": awsResource(gateways.internetGateway),
    "aws:ec2/subnet:Subnet": awsResource(subnets.subnet),
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation": awsResource(subnets.subnetCidrReservation),
    "aws:ec2/routeTable:RouteTable": awsResource(routes.routeTable),
    "aws:ec2/route:Route": awsResource(routes.route),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": awsResource(routes.routeTableAssociation),
    "aws:ec2/eip:Eip": awsResource(gateways.eip),
    "aws:ec2/natGateway:NatGateway": awsResource(gateways.natGateway),
    "aws:ec2/flowLog:FlowLog": awsResource(flowLog),
    "aws:ec2/launchTemplate:LaunchTemplate": awsResource(launchTemplate),
    "aws:ec2/securityGroup:SecurityGroup": awsResource(securityGroups.securityGroup),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": awsResource(securityGroupRules.securityGroupIngressRule),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": awsResource(securityGroupRules.securityGroupEgressRule),
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": awsResource(peering.vpcPeeringConnection),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": awsResource(peering.vpcPeeringConnectionAccepter),
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": awsResource(peering.peeringConnectionOptions),
    "aws:ec2transitgateway/transitGateway:TransitGateway": awsResource(transitGateway),
    "aws:ec2transitgateway/route:Route": awsResource(transitGatewayRoute),
    "aws:ec2transitgateway/vpcAttachment:VpcAttachment": awsResource(vpcAttachments.vpcAttachment),
    "aws:ec2transitgateway/vpcAttachmentAccepter:VpcAttachmentAccepter": awsResource(vpcAttachments.vpcAttachmentAccepter),
    "aws:ec2transitgateway/peeringAttachment:PeeringAttachment": awsResource(gatewayPeering.peeringAttachment),
    "aws:ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter": awsResource(gatewayPeering.peeringAttachmentAccepter),
    "aws:ram/resourceShare:ResourceShare": awsResource(ram.resourceShare),
    "aws:ram/resourceAssociation:ResourceAssociation": awsResource(ram.resourceAssociation),
    "aws:ram/principalAssociation:PrincipalAssociation": awsResource(ram.principalAssociation),
    "aws:iam/role:Role": awsResource(iam.role),
    "aws:iam/rolePolicy:RolePolicy": awsResource(iam.rolePolicy),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": awsResource(iam.rolePolicyAttachment),
    "aws:kms/key:Key": awsResource(key),
    "aws:cloudwatch/logGroup:LogGroup": awsResource(logGroup),
    "aws:lb/loadBalancer:LoadBalancer": awsResource(loadBalancer),
    "aws:lb/listener:Listener": awsResource(listener),
    "aws:lb/targetGroup:TargetGroup": awsResource(targetGroup),
    "aws:eks/cluster:Cluster": awsResource(cluster),
    "aws:eks/nodeGroup:NodeGroup": awsResource(nodeGroup),
    "aws:eks/addon:Addon": awsResource(addon),
    "aws:eks/accessEntry:AccessEntry": awsResource(access.accessEntry),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": awsResource(access.accessPolicyAssociation),
    "aws:autoscaling/attachment:Attachment": awsResource(attachment),
};
