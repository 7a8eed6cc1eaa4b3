import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ALL_TABLES, simulatedAws } from "../../aws/aws.ts";
import { fault, faults, throttled } from "../../aws/faults.ts";
import { refused } from "./kept-rules.ts";
import { IRELAND } from "./places.ts";
import { createWorld } from "./world.ts";

/** Creates a NAT gateway in its own VPC. */
async function createNat(w: ReturnType<typeof createWorld>) {
    const VpcId = await w.vpc();
    const [SubnetId] = [await w.subnet(VpcId), await w.gateway(VpcId)];
    const { AllocationId } = await w.ec2.allocateAddress();
    return { AllocationId, ...(await w.ec2.createNatGateway({ SubnetId, AllocationId })).NatGateway };
}

test("throttling has the error code of each service", async () => {
    const w = createWorld({ hook: fault({ at: 1 }, (call) => ({ error: throttled(call) })) });
    await refused(w.vpc(), "RequestLimitExceeded", "Request limit exceeded.");
    await w.vpc();
    await refused(w.aws.in(IRELAND).ram.createResourceShare({ name: "mesh" }), "ThrottlingException", "Rate exceeded");
});

test("a frozen NAT gateway stays pending until it is thawed", async () => {
    const w = createWorld({ hook: fault({ action: "createNatGateway" }, { freeze: true }) });
    await createNat(w);
    w.minutes(600);
    const state = async () => (await w.ec2.describeNatGateways()).NatGateways[0]?.State;
    expect(await state()).toBe("pending");
    w.aws.thaw();
    expect(await state()).toBe("available");
});

test("combined faults apply both an error and a latency", async () => {
    const error = throttled({ service: "ec2" });
    const hook = faults(fault({}, { latency: 20 }), fault({ service: "ec2", action: "createVpc" }, { error }));
    const w = createWorld({ hook });
    const start = performance.now();
    await refused(w.vpc(), "RequestLimitExceeded");
    expect(performance.now() - start).toBeGreaterThan(15);
    await w.ec2.describeVpcs();
});

test("a deletion finishes after a restart and frees its address and interface", async () => {
    const folder = mkdtempSync(join(tmpdir(), "simulation-"));
    try {
        const file = join(folder, "aws.json");
        const w = createWorld({ file });
        const { AllocationId, NatGatewayId, VpcId } = await createNat(w);
        await w.ec2.deleteNatGateway({ NatGatewayId });
        const { ec2 } = simulatedAws({ file, clock: () => Date.UTC(2026, 0, 1, 0, 1) }).in(IRELAND);
        expect((await ec2.describeNatGateways()).NatGateways[0]?.State).toBe("deleted");
        await ec2.releaseAddress({ AllocationId });
        expect((await ec2.describeNetworkInterfaces()).NetworkInterfaces).toEqual([]);
        expect((await ec2.describeVpcs()).Vpcs).toMatchObject([{ VpcId, State: "available" }]);
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test("nothing remains after the last deletion, though deleted resources are still shown", async () => {
    const w = createWorld();
    const { AllocationId, NatGatewayId, VpcId, SubnetId } = await createNat(w);
    const InternetGatewayId = (await w.ec2.describeInternetGateways()).InternetGateways[0]?.InternetGatewayId ?? "";
    const other = await w.vpc("10.1.0.0/16", w.others);
    const { VpcPeeringConnection } = await w.ec2.createVpcPeeringConnection({ VpcId, PeerVpcId: other, PeerOwnerId: "222222222222" });
    w.pass(1_000);
    await w.others.acceptVpcPeeringConnection(VpcPeeringConnection);
    w.pass(1_000);
    expect(w.aws.remains(ALL_TABLES).length).toBeGreaterThan(10);
    await w.ec2.deleteNatGateway({ NatGatewayId });
    w.minutes(1);
    await w.ec2.releaseAddress({ AllocationId });
    await w.ec2.detachInternetGateway({ InternetGatewayId, VpcId });
    await w.ec2.deleteInternetGateway({ InternetGatewayId });
    await w.ec2.deleteSubnet({ SubnetId });
    await w.ec2.deleteVpc({ VpcId });
    expect((await w.others.describeVpcPeeringConnections()).VpcPeeringConnections[0]?.Status.Code).toBe("deleted");
    await w.others.deleteVpc({ VpcId: other });
    expect(w.aws.remains(ALL_TABLES)).toEqual([]);
    expect((await w.ec2.describeNatGateways()).NatGateways).toHaveLength(1);
    expect((await w.ec2.describeTags()).Tags).toEqual([]);
});
