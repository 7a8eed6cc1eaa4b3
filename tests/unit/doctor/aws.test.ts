import { expect, test } from "vitest";
import type { z } from "zod";
import { awsEvidence } from "../../../cli/aws/evidence.ts";
import { member } from "../../members.ts";

test("reads attachments by Transit Gateway, prefers an available one to a deleted one, and reports a denied request as unknown", async () => {
    const commands: string[] = [];
    const aws = async <S extends z.ZodType>(_: unknown, command: string[], answer: S): Promise<z.output<S>> => {
        commands.push(command.join(" "));
        if (command[1] === "describe-transit-gateway-vpc-attachments")
            return answer.parse({
                TransitGatewayVpcAttachments: [
                    { TransitGatewayId: "tgw-1", State: "available" },
                    { TransitGatewayId: "tgw-1", State: "deleted" },
                ],
            });
        throw new Error(`aws ${command[1]} in eu-central-1: An error occurred (UnauthorizedOperation)`);
    };
    const cluster = member(1);
    const mesh = {
        stack: "mesh",
        members: [cluster.name],
        network: "transit-gateway" as const,
        ingress: "all" as const,
        connections: {},
        outdated: [],
    };
    const { connections, routes, balancer } = await awsEvidence(aws, cluster, mesh, "doctor");
    expect(connections).toEqual({ value: { "tgw-1": "available" } });
    expect(routes).toEqual({ unknown: "aws describe-route-tables in eu-central-1: An error occurred (UnauthorizedOperation)" });
    expect(balancer).toHaveProperty("unknown");
    expect(commands).toContain(`ec2 describe-route-tables --filters Name=vpc-id,Values=${cluster.vpcId}`);
    commands.length = 0;
    await awsEvidence(aws, cluster, mesh, "status");
    expect(commands.map((command) => command.split(" ")[1])).toEqual([
        "describe-transit-gateway-vpc-attachments",
        "describe-load-balancers",
    ]);
});
