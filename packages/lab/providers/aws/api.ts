import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { SimulatedAws } from "../../aws/aws.ts";
import { AwsError } from "../../aws/error.ts";

/** The simulated services with one caller's credentials. */
export type AwsApi = ReturnType<SimulatedAws["in"]>;

/** How often the provider polls and retries. Time in the lab runs faster than at AWS, so it polls more often than the real one. */
export interface Pace {
    /** First polling interval in milliseconds; later intervals grow exponentially. */
    pollMs: number;
    /** Longest polling interval in milliseconds. */
    maxPollMs: number;
    /** Attempts per throttled call. */
    maxAttempts: number;
    /** How long a delete retries while something still uses the resource, in milliseconds. */
    deleteTimeoutMs: number;
}

export const LAB_PACE: Pace = { pollMs: 20, maxPollMs: 500, maxAttempts: 25, deleteTimeoutMs: 20_000 };

/** An AWS error, worded as by the real provider's SDK. */
class ApiError extends Error {
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

/** Whether AWS reports that the resource does not exist. */
export function isNotFound(error: unknown): boolean {
    return error instanceof ApiError && /NotFound|NoSuchEntity|UnknownResource/.test(error.code);
}

/** Whether a failed call may still have taken effect. */
export function mayHaveSucceeded(error: unknown): boolean {
    return error instanceof ApiError && (error.status >= 500 || THROTTLED.has(error.code));
}

export function hasCode(error: unknown, ...codes: readonly string[]): error is ApiError {
    return error instanceof ApiError && codes.includes(error.code);
}

/** Retries calls with exponential backoff while AWS throttles or fails. Other errors become `ApiError`s. */
export function withRetries(api: AwsApi, pace: Pace, signal?: AbortSignal): AwsApi {
    const calls = (name: string, service: Record<string, (request: unknown) => Promise<unknown>>) =>
        Object.fromEntries(
            Object.entries(service).map(([action, call]) => [
                action,
                (request: unknown) => retry(() => call(request), { name, action, pace, signal }),
            ]),
        );
    // Services are wrapped on first use: wrapping the hundreds of actions of all services would dominate a short call.
    const wrapped = new Map<string, unknown>();
    return new Proxy(api, {
        get: (target, name: string) => {
            const service = (target as unknown as Record<string, Record<string, (request: unknown) => Promise<unknown>>>)[name];
            if (!service) return undefined;
            const actions = wrapped.get(name) ?? calls(name, service);
            wrapped.set(name, actions);
            return actions;
        },
    });
}

async function retry(
    call: () => Promise<unknown>,
    { name, action, pace, signal }: { name: string; action: string; pace: Pace; signal: AbortSignal | undefined },
): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
        try {
            return await call();
        } catch (error) {
            if (!(error instanceof AwsError)) throw error;
            // A create whose response was lost must not be retried blindly: `createOrAdopt` searches for the resource first.
            const isRetryable = THROTTLED.has(error.code) || (error.status >= 500 && !/^(create|allocate)/.test(action));
            if (!isRetryable || attempt >= pace.maxAttempts) throw new ApiError(name, action, error);
            await sleep(backoff(pace, attempt), undefined, signal ? { signal } : {});
        }
    }
}

/** Milliseconds before the next attempt: exponential backoff with jitter, so that calls throttled together do not retry together. */
export function backoff({ pollMs, maxPollMs }: Pace, attempt: number): number {
    return Math.min(maxPollMs, pollMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}

function capital(text: string): string {
    return text.charAt(0).toUpperCase() + text.slice(1);
}
