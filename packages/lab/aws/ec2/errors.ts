import { AwsError } from "../error.ts";

/** EC2's error for an ID that does not exist: `missing("vpc", id)`. Each kind has its own code and text. */
export function missing(kind: keyof typeof MISSING, id: string): AwsError {
    const [code, text] = MISSING[kind];
    return new AwsError(code, text.replace("$", id));
}

const MISSING = {
    vpc: ["InvalidVpcID.NotFound", "The vpc ID '$' does not exist"],
    cidrAssociation: ["InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '$' does not exist"],
    subnet: ["InvalidSubnetID.NotFound", "The subnet ID '$' does not exist"],
    reservation: ["InvalidSubnetCidrReservationID.NotFound", "The subnet CIDR reservation ID '$' does not exist"],
    internetGateway: ["InvalidInternetGatewayID.NotFound", "The internetGateway ID '$' does not exist"],
    gateway: ["InvalidGatewayID.NotFound", "The gateway ID '$' does not exist"],
    natGateway: ["NatGatewayNotFound", "The Nat Gateway $ was not found"],
    allocation: ["InvalidAllocationID.NotFound", "The allocation ID '$' does not exist"],
    routeTable: ["InvalidRouteTableID.NotFound", "The routeTable ID '$' does not exist"],
    association: ["InvalidAssociationID.NotFound", "The association ID '$' does not exist"],
    peering: ["InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '$' does not exist"],
    securityGroup: ["InvalidGroup.NotFound", "The security group '$' does not exist"],
    securityGroupRule: ["InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '$' does not exist"],
    interface: ["InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '$' does not exist"],
    flowLog: ["InvalidFlowLogId.NotFound", "These flow log ids in the input list are not found: [TotalCount: 1] $"],
    launchTemplate: ["InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID $, does not exist."],
    launchTemplateName: [
        "InvalidLaunchTemplateName.NotFoundException",
        "The specified launch template, with template name $, does not exist.",
    ],
    transitGateway: ["InvalidTransitGatewayID.NotFound", "Transit Gateway $ was deleted or does not exist."],
    transitGatewayAttachment: ["InvalidTransitGatewayAttachmentID.NotFound", "Transit Gateway Attachment $ was deleted or does not exist."],
    transitGatewayRouteTable: ["InvalidRouteTableID.NotFound", "Transit Gateway Route Table $ was deleted or does not exist."],
    any: ["InvalidID", "The ID '$' is not valid"],
} as const;

/** EC2's error for deleting something that is in use. */
export function dependencies(kind: "vpc" | "subnet" | "routeTable" | "internetGateway", id: string): AwsError {
    return new AwsError("DependencyViolation", `The ${kind} '${id}' has dependencies and cannot be deleted.`);
}

/** EC2's error for an invalid value. */
export function invalidValue(message: string): AwsError {
    return new AwsError("InvalidParameterValue", message);
}

export function invalidCidr(cidr: string | undefined, parameter: string): AwsError {
    return invalidValue(`Value (${cidr}) for parameter ${parameter} is invalid. This is not a valid CIDR block.`);
}

export function required(parameter: string): AwsError {
    return new AwsError("MissingParameter", `The request must contain the parameter ${parameter}`);
}
