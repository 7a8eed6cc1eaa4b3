import type { World } from "../world.ts";

/** Creates a NAT gateway with all that it needs. */
export async function createNatGateway({ ec2, vpc, subnet, gateway }: World) {
    const VpcId = await vpc();
    const SubnetId = await subnet(VpcId);
    const InternetGatewayId = await gateway(VpcId);
    const { AllocationId, PublicIp } = await ec2.allocateAddress();
    const { NatGateway } = await ec2.createNatGateway({ SubnetId, AllocationId });
    return { VpcId, SubnetId, InternetGatewayId, AllocationId, PublicIp, NatGateway, NatGatewayId: NatGateway.NatGatewayId };
}
