import { describe, expect, test } from "vitest";
import { refused } from "./kept-rules.ts";
import { IRELAND, OTHER_IRELAND } from "./places.ts";
import { createWorld } from "./world.ts";

describe("RAM", () => {
    test("a deleted share no longer shows its resources", async () => {
        const w = createWorld();
        const { TransitGateway } = await w.ec2.createTransitGateway();
        const ram = w.aws.in(IRELAND).ram;
        const { resourceShareArn } = (await ram.createResourceShare({ name: "mesh" })).resourceShare;
        await ram.associateResourceShare({
            resourceShareArn,
            resourceArns: [TransitGateway.TransitGatewayArn],
            principals: [OTHER_IRELAND.account],
        });
        const visibleGateways = async () => (await w.others.describeTransitGateways()).TransitGateways.length;
        expect(await visibleGateways()).toBe(1);
        const associations = await ram.getResourceShareAssociations({
            associationType: "PRINCIPAL",
            resourceShareArns: [resourceShareArn],
        });
        expect(associations.resourceShareAssociations).toMatchObject([{ associatedEntity: OTHER_IRELAND.account, status: "ASSOCIATED" }]);
        await ram.disassociateResourceShare({ resourceShareArn, principals: [OTHER_IRELAND.account] });
        expect(await visibleGateways()).toBe(0);
        await ram.associateResourceShare({ resourceShareArn, principals: [OTHER_IRELAND.account] });
        await ram.deleteResourceShare({ resourceShareArn });
        expect(await visibleGateways()).toBe(0);
        await refused(ram.deleteResourceShare({ resourceShareArn }), "UnknownResourceException");
        expect((await ram.getResourceShares({ resourceOwner: "SELF" })).resourceShares).toMatchObject([{ status: "DELETED" }]);
    });
});
