import { AwsError } from "./error.ts";
import type { CallInfo, Fault, SimulationOptions } from "./simulation.ts";

type Hook = NonNullable<SimulationOptions["hook"]>;

/** Selects the calls that fail: those of a service, of an action, or all. */
interface CallFilter {
    service?: string;
    action?: string;
    /** Number of the call, counting from 1 per action. Default: every call. */
    at?: number;
}

/** AWS's throttling error. EC2 has its own code and text. */
export function throttled({ service }: Pick<CallInfo, "service">): AwsError {
    return service === "ec2"
        ? new AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
        : new AwsError("ThrottlingException", "Rate exceeded");
}

/** A hook that makes the selected calls fail. */
export function fault({ service, action, at }: CallFilter, outcome: Fault | ((call: CallInfo) => Fault)): Hook {
    return (call) => {
        if (service !== undefined && call.service !== service) return undefined;
        if (action !== undefined && call.action !== action) return undefined;
        if (at !== undefined && call.count !== at) return undefined;
        return typeof outcome === "function" ? outcome(call) : outcome;
    };
}

/** Combines hooks: the first error or freeze that any of them returns, and the longest latency. */
export function faults(...hooks: Hook[]): Hook {
    return async (call) => {
        const outcomes = (await Promise.all(hooks.map((hook) => hook(call)))).filter((outcome) => outcome !== undefined);
        if (outcomes.length === 0) return undefined;
        return {
            ...outcomes.find(({ error, freeze }) => error || freeze),
            latency: Math.max(...outcomes.map(({ latency = 0 }) => latency)),
        };
    };
}
