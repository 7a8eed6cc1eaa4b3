import { contains, overlap } from "../../../../core/network/cidr.ts";
import { parseCidr, prefixOf } from "../cidr.ts";
import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { dependencies, invalidCidr, invalidValue, missing } from "./errors.ts";
import { makeDefaultAcl } from "./network-acls.ts";
import { deletePeeringsOf } from "./peering/peering.ts";
import { makeMainTable } from "./routes/route-tables.ts";
import { dropGroup, makeDefaultGroup } from "./security-groups/groups.ts";
import {
    cidrBlocksOf,
    interfaces,
    internetGateways,
    networkAcls,
    routeTables,
    securityGroups,
    shown,
    subnets,
    type Vpc,
    type VpcAttribute,
    vpcs,
} from "./tables.ts";
import { forgetTags, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

/** VPCs in a region. */
export const VPCS_PER_REGION: Quota = { code: "L-F678F1CE", default: 5 };
/** IPv4 CIDR blocks of a VPC. */
export const CIDRS_PER_VPC: Quota = { code: "L-83CA0A9D", default: 5 };

/** A VPC whose primary CIDR is in one of these ranges cannot have a secondary CIDR from another. */
const RESTRICTED_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/** The actions on VPCs. */
export const vpcActions = (scope: Scope) => {
    const rows = vpcs.in(scope);
    const need = (id: string) => rows.need(id, () => missing("vpc", id));
    const show = (vpc: Readonly<Vpc>) => shown(vpc, tagsOf(scope, vpc.VpcId));

    return {
        createVpc: (request: {
            CidrBlock?: string;
            TagSpecifications?: TagSpecification[];
            InstanceTenancy?: string;
            DryRun?: boolean;
        }) => {
            const cidr = validBlock(request.CidrBlock);
            if (rows.list().length >= scope.quota(VPCS_PER_REGION))
                throw new AwsError("VpcLimitExceeded", "The maximum number of VPCs has been reached.");
            const VpcId = scope.id("vpc");
            const vpc = rows.put(VpcId, {
                VpcId,
                CidrBlock: cidr,
                State: "pending",
                OwnerId: scope.account,
                IsDefault: false,
                InstanceTenancy: request.InstanceTenancy ?? "default",
                DhcpOptionsId: "default",
                CidrBlockAssociationSet: [
                    { AssociationId: scope.id("vpc-cidr-assoc"), CidrBlock: cidr, CidrBlockState: { State: "associated" } },
                ],
                attributes: { enableDnsSupport: true, enableDnsHostnames: false, enableNetworkAddressUsageMetrics: false },
            });
            scope.schedule(vpcs, VpcId, [{ after: 1_000, set: { State: "available" } }]);
            tagNew(scope, "vpc", VpcId, request.TagSpecifications);
            makeMainTable(scope, vpc);
            makeDefaultGroup(scope, vpc);
            makeDefaultAcl(scope, VpcId);
            return { Vpc: show(vpc) };
        },

        describeVpcs: ({ VpcIds, Filters }: { VpcIds?: string[]; Filters?: Filter[]; DryRun?: boolean } = {}) => ({
            Vpcs: filtered((VpcIds?.map(need) ?? rows.list()).map(show), Filters, {
                "vpc-id": ({ VpcId }) => VpcId,
                cidr: ({ CidrBlock }) => CidrBlock,
                "cidr-block-association.cidr-block": ({ CidrBlockAssociationSet }) =>
                    CidrBlockAssociationSet.map(({ CidrBlock }) => CidrBlock),
                state: ({ State }) => State,
                "is-default": ({ IsDefault }) => IsDefault,
                "owner-id": ({ OwnerId }) => OwnerId,
            }),
        }),

        describeVpcAttribute: ({ VpcId, Attribute }: { VpcId: string; Attribute: VpcAttribute }) => {
            const value = need(VpcId).attributes[Attribute];
            if (value === undefined) throw invalidValue(`Value (${Attribute}) for parameter attribute is invalid. Unknown attribute.`);
            const name = `${Attribute.charAt(0).toUpperCase()}${Attribute.slice(1)}` as Capitalize<VpcAttribute>;
            return { VpcId, [name]: { Value: value } } as { VpcId: string } & { [A in Capitalize<VpcAttribute>]?: { Value: boolean } };
        },

        modifyVpcAttribute: ({ VpcId, ...values }: { VpcId: string } & { [A in Capitalize<VpcAttribute>]?: { Value: boolean } }) => {
            const { attributes } = need(VpcId);
            if (Object.keys(values).length !== 1)
                throw new AwsError("InvalidParameterCombination", "Only one attribute can be modified at a time");
            const {
                EnableDnsSupport = { Value: attributes.enableDnsSupport },
                EnableDnsHostnames = { Value: attributes.enableDnsHostnames },
                EnableNetworkAddressUsageMetrics = { Value: attributes.enableNetworkAddressUsageMetrics },
            } = values;
            rows.update(VpcId, {
                attributes: {
                    enableDnsSupport: EnableDnsSupport.Value,
                    enableDnsHostnames: EnableDnsHostnames.Value,
                    enableNetworkAddressUsageMetrics: EnableNetworkAddressUsageMetrics.Value,
                },
            });
        },

        associateVpcCidrBlock: ({ VpcId, CidrBlock }: { VpcId: string; CidrBlock?: string }) => {
            const vpc = need(VpcId);
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
            const made = { AssociationId: scope.id("vpc-cidr-assoc"), CidrBlock: cidr, CidrBlockState: { State: "associated" } };
            rows.update(VpcId, { CidrBlockAssociationSet: [...vpc.CidrBlockAssociationSet, made] });
            // Every route table of a VPC has a local route to each of its CIDRs.
            for (const table of routeTables
                .in(scope)
                .list()
                .filter((table) => table.VpcId === VpcId))
                routeTables.in(scope).update(table.RouteTableId, {
                    Routes: [...table.Routes, { DestinationCidrBlock: cidr, GatewayId: "local", Origin: "CreateRouteTable" }],
                });
            return { VpcId, CidrBlockAssociation: { ...made, CidrBlockState: { State: "associating" } } };
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
            for (const table of routeTables
                .in(scope)
                .list()
                .filter((subnet) => subnet.VpcId === vpc.VpcId))
                routeTables.in(scope).update(table.RouteTableId, {
                    Routes: table.Routes.filter(
                        (route) => route.Origin !== "CreateRouteTable" || route.DestinationCidrBlock !== association.CidrBlock,
                    ),
                });
            return { VpcId: vpc.VpcId, CidrBlockAssociation: { ...association, CidrBlockState: { State: "disassociating" } } };
        },

        deleteVpc: ({ VpcId }: { VpcId: string; DryRun?: boolean }) => {
            need(VpcId);
            const inVpc = (resource: { VpcId: string }) => resource.VpcId === VpcId;
            const groups = securityGroups.in(scope).list().filter(inVpc);
            const tables = routeTables.in(scope).list().filter(inVpc);
            const used =
                subnets.in(scope).list().some(inVpc) ||
                interfaces.in(scope).list().some(inVpc) ||
                internetGateways
                    .in(scope)
                    .list()
                    .some(({ Attachments }) => Attachments.some(inVpc)) ||
                groups.some(({ GroupName }) => GroupName !== "default") ||
                tables.some(({ Associations }) => !Associations.some(({ Main }) => Main));
            if (used) throw dependencies("vpc", VpcId);
            for (const { GroupId } of groups) dropGroup(scope, GroupId);
            for (const { RouteTableId } of tables) routeTables.in(scope).delete(RouteTableId);
            for (const { NetworkAclId } of networkAcls.in(scope).list().filter(inVpc)) networkAcls.in(scope).delete(NetworkAclId);
            deletePeeringsOf(scope, VpcId);
            rows.delete(VpcId);
            forgetTags(scope, VpcId);
        },
    };
};

/** Returns the normalized CIDR, or throws if a VPC cannot have it. */
function validBlock(text: string | undefined): string {
    const cidr = parseCidr(text);
    if (!cidr) throw invalidCidr(text, "cidrBlock");
    if (prefixOf(cidr) < 16 || prefixOf(cidr) > 28) throw badRange(cidr);
    return cidr;
}

function badRange(cidr: string): AwsError {
    return new AwsError("InvalidVpc.Range", `The CIDR '${cidr}' is invalid.`);
}
