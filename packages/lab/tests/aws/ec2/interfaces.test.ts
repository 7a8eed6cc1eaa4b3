import { describe, test } from "vitest";
import { refused } from "../kept-rules.ts";
import { createWorld } from "../world.ts";

describe("network interfaces", () => {
    test("allow 5 security groups per interface, all of its own VPC", async () => {
        const { ec2, vpc, subnet, group } = createWorld();
        const VpcId = await vpc();
        const SubnetId = await subnet(VpcId);
        const Groups = await Promise.all([..."abcdef"].map((name) => group(VpcId, name)));
        await refused(ec2.createNetworkInterface({ SubnetId, Groups }), "SecurityGroupsPerInterfaceLimitExceeded");
        await ec2.createNetworkInterface({ SubnetId, Groups: Groups.slice(1) });
        const other = await group(await vpc("10.1.0.0/16"));
        await refused(
            ec2.createNetworkInterface({ SubnetId, Groups: [other] }),
            "InvalidParameter",
            `Security group ${other} and subnet ${SubnetId} belong to different networks.`,
        );
    });

    test("refuse an address outside the subnet", async () => {
        const { ec2, vpc, subnet } = createWorld();
        const SubnetId = await subnet(await vpc());
        await refused(ec2.createNetworkInterface({ SubnetId, PrivateIpAddress: "10.0.1.9" }), "InvalidParameterValue");
    });

    test("refuse a subnet without free addresses", async () => {
        const { ec2, vpc, subnet } = createWorld();
        const SubnetId = await subnet(await vpc(), "10.0.0.0/28");
        for (const _ of Array(11)) await ec2.createNetworkInterface({ SubnetId });
        await refused(ec2.createNetworkInterface({ SubnetId }), "InsufficientFreeAddressesInSubnet");
    });
});
