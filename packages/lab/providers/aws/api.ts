import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { SimulatedAws } from "../../aws/aws.ts";
import { AwsError } from "../../aws/error.ts";

/** The simulated services, as one caller meets them. */
export type AwsApi = ReturnType<SimulatedAws["in"]>;

/** How fast the provider asks again. The lab's time runs faster than AWS's, so it asks more often than the real one. */
export interface Pace {
    /** Milliseconds between the first two looks at something that is not ready; later ones are further apart. */
    poll: number;
    /** Milliseconds between looks at most. */
    slowest: number;
    /** How often a throttled call is made at most. */
    attempts: number;
    /** Milliseconds that a delete waits for what still uses the resource to go. */
    patience: number;
}

export const LAB_PACE: Pace = { poll: 20, slowest: 500, attempts: 25, patience: 20_000 };

/** A refusal as the SDK of the real provider words it. */
export class ApiError extends Error {
    readonly code: string;
    readonly status: number;
    constructor(service: string, action: string, { code, status, message }: AwsError) {
        super(
            `operation error ${SDK_IDS[service] ?? service}: ${capital(action)}, https response error StatusCode: ${status}, RequestID: ${randomUUID()}, api error ${code}: ${message}`,
        );
        this.code = code;
        this.status = status;
    }
}

const SDK_IDS: Record<string, string> = {
    ec2: "EC2",
    eks: "EKS",
    iam: "IAM",
    kms: "KMS",
    sts: "STS",
    ram: "RAM",
    logs: "CloudWatch Logs",
    elb: "Elastic Load Balancing v2",
    autoscaling: "Auto Scaling",
};

const THROTTLED = new Set([
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
]);

/** Whether AWS says that there is no such thing. */
export function isAbsent(error: unknown): boolean {
    return error instanceof ApiError && /NotFound|NoSuchEntity|UnknownResource/.test(error.code);
}

/** Whether a call may have done its work although it failed. */
export function isUncertain(error: unknown): boolean {
    return error instanceof ApiError && (error.status >= 500 || THROTTLED.has(error.code));
}

export function hasCode(error: unknown, ...codes: readonly string[]): error is ApiError {
    return error instanceof ApiError && codes.includes(error.code);
}

/** Calls that are made again while AWS is throttling or failing, each time later, and whose refusals read as in the real provider. */
export function patient(api: AwsApi, pace: Pace, signal?: AbortSignal): AwsApi {
    const calls = (name: string, service: Record<string, (request: unknown) => Promise<unknown>>) =>
        Object.fromEntries(
            Object.entries(service).map(([action, call]) => [
                action,
                (request: unknown) => repeated(() => call(request), { name, action, pace, signal }),
            ]),
        );
    // One service is looked up at a time: wrapping the hundreds of actions of all would be the larger part of a short call.
    const wrapped = new Map<string, unknown>();
    return new Proxy(api, {
        get: (target, name: string) => {
            const service = (target as unknown as Record<string, Record<string, (request: unknown) => Promise<unknown>>>)[name];
            if (!service) return undefined;
            const made = wrapped.get(name) ?? calls(name, service);
            wrapped.set(name, made);
            return made;
        },
    });
}

async function repeated(
    call: () => Promise<unknown>,
    { name, action, pace, signal }: { name: string; action: string; pace: Pace; signal: AbortSignal | undefined },
): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
        try {
            return await call();
        } catch (error) {
            if (!(error instanceof AwsError)) throw error;
            // A create whose answer is lost must not be made again blindly: whoever asked for it looks first.
            const again = THROTTLED.has(error.code) || (error.status >= 500 && !/^(create|allocate)/.test(action));
            if (!again || attempt >= pace.attempts) throw new ApiError(name, action, error);
            await sleep(backoff(pace, attempt), undefined, signal ? { signal } : {});
        }
    }
}

/** Milliseconds before the next try: more each time, and never the same for two that were refused together. */
export function backoff({ poll, slowest }: Pace, attempt: number): number {
    return Math.min(slowest, poll * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}

function capital(text: string): string {
    return text.charAt(0).toUpperCase() + text.slice(1);
}
