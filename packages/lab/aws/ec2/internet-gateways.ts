import { AwsError } from "../error.ts";
import { type Filter, filtered } from "../filters.ts";
import type { Quota, Scope } from "../scope.ts";
import { dependencies, invalidValue, missing } from "./errors.ts";
import { type InternetGateway, interfaces, internetGateways, shown, vpcs } from "./tables.ts";
import { deleteTagsOf, type TagSpecification, tagNew, tagsOf } from "./tags.ts";

const INTERNET_GATEWAYS_PER_REGION: Quota = { code: "L-A4707A72", default: 5 };

/** The actions on internet gateways. */
export const internetGatewayActions = (scope: Scope) => {
    const rows = internetGateways.in(scope);
    const need = (id: string) => rows.need(id, () => missing("internetGateway", id));
    const show = (row: Readonly<InternetGateway>) => shown(row, tagsOf(scope, row.InternetGatewayId));

    return {
        createInternetGateway: ({ TagSpecifications }: { TagSpecifications?: TagSpecification[] } = {}) => {
            if (rows.list().length >= scope.quota(INTERNET_GATEWAYS_PER_REGION))
                throw new AwsError("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.");
            const InternetGatewayId = scope.id("igw");
            const created = rows.put(InternetGatewayId, { InternetGatewayId, OwnerId: scope.account, Attachments: [] });
            tagNew(scope, "internet-gateway", InternetGatewayId, TagSpecifications);
            return { InternetGateway: show(created) };
        },

        describeInternetGateways: ({ InternetGatewayIds, Filters }: { InternetGatewayIds?: string[]; Filters?: Filter[] } = {}) => ({
            InternetGateways: filtered((InternetGatewayIds?.map(need) ?? rows.list()).map(show), Filters, {
                "internet-gateway-id": (gateway) => gateway.InternetGatewayId,
                "attachment.vpc-id": ({ Attachments }) => Attachments.map(({ VpcId }) => VpcId),
                "attachment.state": ({ Attachments }) => Attachments.map(({ State }) => State),
            }),
        }),

        attachInternetGateway: ({ InternetGatewayId: id, VpcId }: { InternetGatewayId: string; VpcId: string }) => {
            const [attached] = need(id).Attachments;
            vpcs.in(scope).need(VpcId, () => missing("vpc", VpcId));
            if (attached)
                throw new AwsError("Resource.AlreadyAssociated", `resource ${id} is already attached to network ${attached.VpcId}`);
            if (rows.list().some(({ Attachments }) => Attachments.some((attachment) => attachment.VpcId === VpcId)))
                throw invalidValue(`Network ${VpcId} already has an internet gateway attached`);
            rows.update(id, { Attachments: [{ State: "available", VpcId }] });
        },

        detachInternetGateway: ({ InternetGatewayId: id, VpcId }: { InternetGatewayId: string; VpcId: string }) => {
            if (!need(id).Attachments.some((attachment) => attachment.VpcId === VpcId))
                throw new AwsError("Gateway.NotAttached", `resource ${id} is not attached to network ${VpcId}`);
            if (
                interfaces
                    .in(scope)
                    .list()
                    .some((eni) => eni.VpcId === VpcId && eni.Association)
            )
                throw new AwsError(
                    "DependencyViolation",
                    `Network ${VpcId} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
                );
            rows.update(id, { Attachments: [] });
        },

        deleteInternetGateway: ({ InternetGatewayId: id }: { InternetGatewayId: string }) => {
            if (need(id).Attachments.length > 0) throw dependencies("internetGateway", id);
            rows.delete(id);
            deleteTagsOf(scope, id);
        },
    };
};
