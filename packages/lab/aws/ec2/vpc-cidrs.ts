import { contains, overlap } from "../../../../core/network/cidr.ts";
import { parseCidr, prefixOf } from "../cidr.ts";
import { AwsError } from "../error.ts";
import type { Quota, Scope } from "../scope.ts";
import { invalidCidr, missing } from "./errors.ts";
import { cidrBlocksOf, routeTables, subnets, vpcs } from "./tables.ts";

/** IPv4 CIDR blocks of a VPC. */
export const CIDRS_PER_VPC: Quota = { code: "L-83CA0A9D", default: 5 };

/** A VPC whose primary CIDR is in one of these ranges cannot have a secondary CIDR from another. */
const RESTRICTED_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/** The actions on the CIDR blocks of VPCs. */
export const vpcCidrActions = (scope: Scope) => {
    const rows = vpcs.in(scope);
    const tablesOf = (vpcId: string) =>
        routeTables
            .in(scope)
            .list()
            .filter(({ VpcId }) => VpcId === vpcId);

    return {
        associateVpcCidrBlock: ({ VpcId, CidrBlock }: { VpcId: string; CidrBlock?: string }) => {
            const vpc = rows.need(VpcId, () => missing("vpc", VpcId));
            const cidr = validBlock(CidrBlock);
            const range = (block: string) => RESTRICTED_RANGES.find((restricted) => contains(restricted, block));
            if (range(cidr) && range(vpc.CidrBlock) && range(cidr) !== range(vpc.CidrBlock))
                throw new AwsError(
                    "InvalidVpc.Range",
                    `The CIDR '${cidr}' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR.`,
                );
            if (cidrBlocksOf(vpc).some((block) => overlap(block, cidr))) throw badRange(cidr);
            if (cidrBlocksOf(vpc).length >= scope.quota(CIDRS_PER_VPC))
                throw new AwsError(
                    "CidrLimitExceeded",
                    `This network '${VpcId}' has met its maximum number of allowed CIDRs: ${scope.quota(CIDRS_PER_VPC)}`,
                );
            const created = { AssociationId: scope.id("vpc-cidr-assoc"), CidrBlock: cidr, CidrBlockState: { State: "associated" } };
            rows.update(VpcId, { CidrBlockAssociationSet: [...vpc.CidrBlockAssociationSet, created] });
            // Every route table of a VPC has a local route to each of its CIDRs.
            for (const table of tablesOf(VpcId))
                routeTables.in(scope).update(table.RouteTableId, {
                    Routes: [...table.Routes, { DestinationCidrBlock: cidr, GatewayId: "local", Origin: "CreateRouteTable" }],
                });
            return { VpcId, CidrBlockAssociation: { ...created, CidrBlockState: { State: "associating" } } };
        },

        disassociateVpcCidrBlock: ({ AssociationId }: { AssociationId: string }) => {
            const vpc = rows
                .list()
                .find((candidate) => candidate.CidrBlockAssociationSet.some((block) => block.AssociationId === AssociationId));
            const association = vpc?.CidrBlockAssociationSet.find((block) => block.AssociationId === AssociationId);
            if (!vpc || !association) throw missing("cidrAssociation", AssociationId);
            if (association.CidrBlock === vpc.CidrBlock)
                throw new AwsError(
                    "OperationNotPermitted",
                    `The vpc CIDR block with association ID ${AssociationId} may not be disassociated. It is the primary IPv4 CIDR block of the VPC`,
                );
            if (
                subnets
                    .in(scope)
                    .list()
                    .some((subnet) => subnet.VpcId === vpc.VpcId && overlap(subnet.CidrBlock, association.CidrBlock))
            )
                throw new AwsError(
                    "DependencyViolation",
                    `The CIDR block '${association.CidrBlock}' is in use by a subnet and cannot be disassociated.`,
                );
            rows.update(vpc.VpcId, { CidrBlockAssociationSet: vpc.CidrBlockAssociationSet.filter((other) => other !== association) });
            for (const table of tablesOf(vpc.VpcId))
                routeTables.in(scope).update(table.RouteTableId, {
                    Routes: table.Routes.filter(
                        (route) => route.Origin !== "CreateRouteTable" || route.DestinationCidrBlock !== association.CidrBlock,
                    ),
                });
            return { VpcId: vpc.VpcId, CidrBlockAssociation: { ...association, CidrBlockState: { State: "disassociating" } } };
        },
    };
};

/** Returns the normalized CIDR, or throws if a VPC cannot have it. */
export function validBlock(text: string | undefined): string {
    const cidr = parseCidr(text);
    if (!cidr) throw invalidCidr(text, "cidrBlock");
    if (prefixOf(cidr) < 16 || prefixOf(cidr) > 28) throw badRange(cidr);
    return cidr;
}

function badRange(cidr: string): AwsError {
    return new AwsError("InvalidVpc.Range", `The CIDR '${cidr}' is invalid.`);
}
