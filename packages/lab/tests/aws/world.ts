import { describe } from "vitest";
import { simulatedAws } from "../../aws/aws.ts";
import { KEPT_RULES, type Rule, type Section } from "../../aws/rules.ts";
import type { SimulationOptions } from "../../aws/simulation.ts";
import { keptRules } from "./kept-rules.ts";
import { IRELAND, OTHER_IRELAND, VIRGINIA } from "./places.ts";

/** A simulated AWS with a clock that the test sets, and shortcuts for what most EC2 tests create. */
export function createWorld(options: SimulationOptions = {}) {
    let now = Date.UTC(2026, 0, 1);
    const aws = simulatedAws({ clock: () => now, ...options });
    const ireland = aws.in(IRELAND).ec2;
    const virginia = aws.in(VIRGINIA).ec2;
    const others = aws.in(OTHER_IRELAND).ec2;
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
        /** Creates an internet gateway and attaches it. */
        gateway: async (VpcId: string, ec2: Ec2 = ireland) => {
            const { InternetGatewayId } = (await ec2.createInternetGateway()).InternetGateway;
            await ec2.attachInternetGateway({ InternetGatewayId, VpcId });
            return InternetGatewayId;
        },
        table: async (VpcId: string, ec2: Ec2 = ireland) => (await ec2.createRouteTable({ VpcId })).RouteTable.RouteTableId,
        group: async (VpcId: string, GroupName = "nodes", ec2: Ec2 = ireland) =>
            (await ec2.createSecurityGroup({ GroupName, Description: "test", VpcId })).GroupId,
    };
}
export type World = ReturnType<typeof createWorld>;

/**
 * Defines a test for each rule of a section, in the order of the table and named after it.
 *
 * Other refusals have ordinary tests: without them, a mistake in the program would pass in the lab and fail on AWS.
 */
export function keeps<S extends Section>(section: S, cases: Record<Rule<S>, (world: World) => Promise<void>>): void {
    describe(section, () => {
        const rule = keptRules(section);
        for (const name of KEPT_RULES[section] as readonly Rule<S>[]) rule(name, () => cases[name](createWorld()));
    });
}
