import { AwsError } from "./error.ts";
import type { CallInfo, Fault, SimulationOptions } from "./simulation.ts";

type Hook = NonNullable<SimulationOptions["hook"]>;

/** Which calls go wrong: `ec2`, `ec2.createNatGateway`, or all. */
export interface Which {
    service?: string;
    action?: string;
    /** The first, second, ... call of its action; none: every one. */
    at?: number;
}

/** What AWS says to who asks too often: EC2 in words of its own. */
export function throttled({ service }: Pick<CallInfo, "service">): AwsError {
    return service === "ec2"
        ? new AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
        : new AwsError("ThrottlingException", "Rate exceeded");
}

/** A hook by which the calls that fit go wrong. */
export function fault({ service, action, at }: Which, what: Fault | ((call: CallInfo) => Fault)): Hook {
    return (call) => {
        if (service !== undefined && call.service !== service) return undefined;
        if (action !== undefined && call.action !== action) return undefined;
        if (at !== undefined && call.count !== at) return undefined;
        return typeof what === "function" ? what(call) : what;
    };
}

/** All hooks as one: what the first says that says anything, and the longest latency of all. */
export function faults(...hooks: Hook[]): Hook {
    return async (call) => {
        const said = (await Promise.all(hooks.map((hook) => hook(call)))).filter((one) => one !== undefined);
        if (said.length === 0) return undefined;
        return { ...said.find(({ error, freeze }) => error || freeze), latency: Math.max(...said.map(({ latency = 0 }) => latency)) };
    };
}
