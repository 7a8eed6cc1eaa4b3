import { expect } from "vitest";
import { refused } from "../kept-rules.ts";
import { IRELAND } from "../places.ts";
import { keeps } from "../world.ts";
import { createNatGateway } from "./nat-gateway.ts";

keeps("internet gateways", {
    "creates an internet gateway": async ({ ec2 }) => {
        const { InternetGateway } = await ec2.createInternetGateway();
        expect(InternetGateway).toMatchObject({ Attachments: [], OwnerId: IRELAND.account });
        await ec2.deleteInternetGateway(InternetGateway);
        expect((await ec2.describeInternetGateways()).InternetGateways).toEqual([]);
    },
    "attaches it to a VPC": async ({ ec2, vpc, gateway }) => {
        const VpcId = await vpc();
        const InternetGatewayId = await gateway(VpcId);
        expect((await ec2.describeInternetGateways()).InternetGateways[0]?.Attachments).toEqual([{ State: "available", VpcId }]);
        await refused(
            ec2.deleteInternetGateway({ InternetGatewayId }),
            "DependencyViolation",
            `The internetGateway '${InternetGatewayId}' has dependencies and cannot be deleted.`,
        );
    },
    "refuses a second attachment": async ({ ec2, vpc, gateway }) => {
        const [VpcId, other] = [await vpc(), await vpc()];
        const InternetGatewayId = await gateway(VpcId);
        await refused(
            ec2.attachInternetGateway({ InternetGatewayId, VpcId: other }),
            "Resource.AlreadyAssociated",
            `resource ${InternetGatewayId} is already attached to network ${VpcId}`,
        );
        const second = (await ec2.createInternetGateway()).InternetGateway.InternetGatewayId;
        await refused(
            ec2.attachInternetGateway({ InternetGatewayId: second, VpcId }),
            "InvalidParameterValue",
            `Network ${VpcId} already has an internet gateway attached`,
        );
        await refused(ec2.detachInternetGateway({ InternetGatewayId, VpcId: other }), "Gateway.NotAttached");
    },
    "refuses to detach it while the VPC has mapped public addresses": async (w) => {
        const { VpcId, InternetGatewayId, NatGatewayId } = await createNatGateway(w);
        const detach = () => w.ec2.detachInternetGateway({ InternetGatewayId, VpcId });
        await refused(
            detach(),
            "DependencyViolation",
            `Network ${VpcId} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
        );
        await w.ec2.deleteNatGateway({ NatGatewayId });
        w.minutes(1);
        await detach();
    },
});
