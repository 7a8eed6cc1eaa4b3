import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { dependencies, invalidValue, missing } from "./errors.ts";
import { createDefaultAcl } from "./network-acls.ts";
import { deletePeeringsOf } from "./peering/peering.ts";
import { createMainTable } from "./routes/route-tables.ts";
import { createDefaultGroup, deleteGroup } from "./security-groups/groups.ts";
import {
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
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";
import { validBlock } from "./vpc-cidrs.ts";

/** VPCs in a region. */
export const VPCS_PER_REGION: Quota = { code: "L-F678F1CE", default: 5 };

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
            createMainTable(scope, vpc);
            createDefaultGroup(scope, vpc);
            createDefaultAcl(scope, VpcId);
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
            for (const { GroupId } of groups) deleteGroup(scope, GroupId);
            for (const { RouteTableId } of tables) routeTables.in(scope).delete(RouteTableId);
            for (const { NetworkAclId } of networkAcls.in(scope).list().filter(inVpc)) networkAcls.in(scope).delete(NetworkAclId);
            deletePeeringsOf(scope, VpcId);
            rows.delete(VpcId);
            deleteTagsOf(scope, VpcId);
        },
    };
};
