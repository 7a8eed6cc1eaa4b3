import { expect } from "vitest";
import { ADDRESSES_PER_REGION } from "../../../aws/ec2/elastic-ips.ts";
import { refused } from "../kept-rules.ts";
import { IRELAND } from "../places.ts";
import { keeps } from "../world.ts";
import { createNatGateway } from "./nat-gateway.ts";

keeps("Elastic IPs", {
    "allocates and releases an address": async ({ ec2 }) => {
        const first = await ec2.allocateAddress({ Domain: "vpc" });
        expect(first).toMatchObject({ AllocationId: expect.stringMatching(/^eipalloc-0[0-9a-f]{16}$/), Domain: "vpc" });
        expect((await ec2.allocateAddress()).PublicIp).not.toBe(first.PublicIp);
        await ec2.releaseAddress(first);
        await refused(
            ec2.releaseAddress(first),
            "InvalidAllocationID.NotFound",
            `The allocation ID '${first.AllocationId}' does not exist`,
        );
    },
    "refuses to release an address that a NAT gateway uses": async (w) => {
        const { AllocationId, PublicIp, NatGatewayId } = await createNatGateway(w);
        const release = () => w.ec2.releaseAddress({ AllocationId });
        await refused(release(), "InvalidIPAddress.InUse", `Address ${PublicIp} is in use.`);
        const [address] = (await w.ec2.describeAddresses()).Addresses;
        await refused(w.ec2.disassociateAddress({ AssociationId: address?.AssociationId ?? "" }), "AuthFailure");
        await w.ec2.deleteNatGateway({ NatGatewayId });
        await refused(release(), "InvalidIPAddress.InUse");
        w.minutes(1);
        await release();
    },
    "allows 5 addresses per region by default": async ({ aws, ec2, virginia }) => {
        for (const _ of Array(5)) await ec2.allocateAddress();
        await refused(ec2.allocateAddress(), "AddressLimitExceeded", "The maximum number of addresses has been reached.");
        await virginia.allocateAddress();
        aws.setQuota(IRELAND, ADDRESSES_PER_REGION, 6);
        await ec2.allocateAddress();
    },
});
