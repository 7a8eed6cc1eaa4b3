import { describe, expect } from "vitest";
import { simulatedAws } from "../../aws/aws.ts";
import { KEPT_RULES, type Rule, type Section } from "../../aws/rules.ts";
import type { SimulationOptions } from "../../aws/simulation.ts";
import { keptRules } from "./places.ts";

export const IRELAND = { account: "111111111111", region: "eu-west-1" };
export const VIRGINIA = { account: "111111111111", region: "us-east-1" };
export const OTHERS = { account: "222222222222", region: "eu-west-1" };

/** A simulated AWS of its own, whose clock the test sets. */
export function world(options: SimulationOptions = {}) {
    let now = Date.UTC(2026, 0, 1);
    const aws = simulatedAws({ clock: () => now, ...options });
    const ireland = aws.in(IRELAND).ec2;
    const virginia = aws.in(VIRGINIA).ec2;
    const others = aws.in(OTHERS).ec2;
    type Ec2 = typeof ireland;
    return {
        aws,
        ec2: ireland,
        virginia,
        others,
        pass: (ms: number) => {
            now += ms;
        },
        minutes: (count: number) => {
            now += count * 60_000;
        },
        vpc: async (CidrBlock = "10.0.0.0/16", ec2: Ec2 = ireland) => (await ec2.createVpc({ CidrBlock })).Vpc.VpcId,
        subnet: async (VpcId: string, CidrBlock = "10.0.0.0/24", ec2: Ec2 = ireland) =>
            (await ec2.createSubnet({ VpcId, CidrBlock })).Subnet.SubnetId,
        /** An internet gateway, attached. */
        gateway: async (VpcId: string, ec2: Ec2 = ireland) => {
            const { InternetGatewayId } = (await ec2.createInternetGateway()).InternetGateway;
            await ec2.attachInternetGateway({ InternetGatewayId, VpcId });
            return InternetGatewayId;
        },
        table: async (VpcId: string, ec2: Ec2 = ireland) => (await ec2.createRouteTable({ VpcId })).RouteTable.RouteTableId,
        group: async (VpcId: string, GroupName = "nodes", ec2: Ec2 = ireland) =>
            (await ec2.createSecurityGroup({ GroupName, Description: "of a test", VpcId })).GroupId,
    };
}
export type World = ReturnType<typeof world>;

/** A test for each rule of a section, in the order and the words of the table. */
export function keeps<S extends Section>(section: S, cases: Record<Rule<S>, (w: World) => Promise<void>>): void {
    describe(section, () => {
        const rule = keptRules(section);
        for (const name of KEPT_RULES[section] as readonly Rule<S>[]) rule(name, () => cases[name](world()));
    });
}

/** That a call is refused, with this code and, if given, this text. */
export async function refused(call: Promise<unknown>, code: string, message?: string): Promise<void> {
    await expect(call).rejects.toMatchObject({ name: "AwsError", code, ...(message !== undefined && { message }) });
}
