import { setTimeout as sleep } from "node:timers/promises";
import { AwsError } from "./error.ts";
import { Memory, type Place } from "./memory.ts";
import { type Caller, type Quota, Scope } from "./scope.ts";
import type { AnyTable } from "./table.ts";

/** A service: maps the scope of a call to its actions. Actions have AWS's names in camelCase. They are synchronous, so each call is atomic. */
type Service = ((scope: Scope) => Record<string, (request: never) => unknown>) & {
    /** What the service does by itself when something is due, beyond what a scheduled change can express. Runs before each call, in no account or region. */
    settle?: (scope: Scope) => void;
};

/** The services as callers see them: each action returns a promise, since a call takes time. */
type Api<S extends Record<string, Service>> = {
    [N in keyof S]: { [A in keyof ReturnType<S[N]>]: Call<ReturnType<S[N]>[A]> };
};
type Call<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never;

/** A call that is about to run. */
export interface CallInfo extends Place {
    service: string;
    action: string;
    request: unknown;
    /** Number of calls of this action since the simulation started, including this call. */
    count: number;
}

/** How a call fails or is delayed. */
export interface Fault {
    /** Milliseconds by which the call is delayed. */
    latency?: number;
    error?: AwsError;
    /** With `error`: the call succeeds, but its response is lost. */
    lost?: boolean;
    /** What the call starts never finishes: a NAT gateway stays pending until `Simulation.thaw`. */
    freeze?: boolean;
}

export interface SimulationOptions {
    /** Where to store the state. Default: in memory only. */
    file?: string;
    /** Seed of the generated IDs: another seed gives other IDs. */
    seed?: string;
    /** Returns milliseconds since 1970. Default: the system clock. */
    clock?: () => number;
    /** How many times faster than on AWS resources become ready. `Infinity`: by the next call. Default: 1. */
    speed?: number;
    /** Called before each call; what it returns happens to the call. */
    hook?: (call: CallInfo) => Fault | undefined | Promise<Fault | undefined>;
}

/**
 * A simulation of part of AWS. It enforces the documented rules listed in `rules.ts`, each of which has a test named after it, and claims no others.
 * Not simulated: IAM permissions (every caller may do everything in its own account), pagination, prices, IPv6.
 *
 * Each account and region has its own state, which is saved after each call that changes it. What takes time (pending → available) is stored with the time
 * at which it is due and applied before the next call, so it survives a restart. Only one process at a time may use a file.
 */
export class Simulation<S extends Record<string, Service>> {
    readonly #services: S;
    readonly #memory: Memory;
    readonly #options: SimulationOptions;
    readonly #counts = new Map<string, number>();
    readonly #watchers = new Set<(call: CallInfo, response: unknown) => void>();

    constructor(services: S, options: SimulationOptions = {}) {
        this.#services = services;
        this.#options = options;
        this.#memory = new Memory(options.file, options.seed ?? "lab");
    }

    /** The services, called from that account and region. */
    in(caller: Caller): Api<S> {
        const service = (name: string, make: Service) =>
            Object.fromEntries(
                Object.keys(make(this.#scope(caller))).map((action) => [
                    action,
                    (request?: object) => this.#call(caller, name, action, request),
                ]),
            );
        return Object.fromEntries(Object.entries(this.#services).map(([name, make]) => [name, service(name, make)])) as Api<S>;
    }

    /** Reads or changes the state without the rules of any service: for the lab itself, and for tests that change something behind a program's back. */
    edit<T>(place: Place, work: (scope: Scope) => T): T {
        this.#settle();
        return this.#memory.transaction(() => work(this.#scope(place)));
    }

    /**
     * Raises or lowers a quota.
     *
     * @throws if `value` exceeds the maximum that AWS grants
     */
    setQuota({ account, region }: Place, quota: Quota, value: number): void {
        if (quota.max !== undefined && value > quota.max)
            throw new Error(`quota ${quota.code} must be at most ${quota.max}, the highest value that AWS grants; got ${value}`);
        const key = `${account}/${region}`;
        this.#memory.state.quotas[key] = { ...this.#memory.state.quotas[key], [quota.code]: value };
        this.#memory.save();
    }

    /** Makes everything that was frozen due now. */
    thaw(): void {
        const now = this.#now();
        this.#memory.state.transitions = this.#memory.state.transitions.map((transition) => ({
            ...transition,
            due: transition.due ?? now,
        }));
        this.#memory.save();
    }

    /**
     * Calls `listener` after every successful call.
     *
     * @returns a function that stops it
     */
    watch(listener: (call: CallInfo, response: unknown) => void): () => void {
        this.#watchers.add(listener);
        return () => this.#watchers.delete(listener);
    }

    /** A number that grows with every change, including scheduled ones: those that are due are applied first. Cheap enough to poll. */
    revision(): number {
        this.#settle();
        return this.#memory.revision;
    }

    /** The rows that `tables` still hold, in every account and region. Empty after the last destroy. */
    remains(tables: readonly AnyTable[]): { place: string; table: string; id: string }[] {
        this.#settle();
        return Object.entries(this.#memory.state.places).flatMap(([place, kept]) =>
            tables.flatMap(({ name, gone }) =>
                Object.entries(kept[name] ?? {}).flatMap(([id, row]) => (gone(row) ? [] : [{ place, table: name, id }])),
            ),
        );
    }

    async #call(caller: Caller, service: string, action: string, request: object | undefined): Promise<unknown> {
        const count = (this.#counts.get(`${service}.${action}`) ?? 0) + 1;
        this.#counts.set(`${service}.${action}`, count);
        const { account, region } = caller;
        const call: CallInfo = { service, action, account, region, request, count };
        const fault = await this.#options.hook?.(call);
        if (fault?.latency) await sleep(fault.latency);
        if (fault?.error && !fault.lost) throw fault.error;

        this.#settle();
        const dryRun = request !== undefined && "DryRun" in request && request.DryRun === true;
        const response = this.#memory.transaction(() => {
            const actions = this.#services[service]?.(this.#scope(caller, fault?.freeze));
            // Copy the request and the response: otherwise a caller that changes either would change the state.
            return structuredClone(actions?.[action]?.(structuredClone(request) as never));
        }, !dryRun);
        if (dryRun) throw new AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
        for (const listener of this.#watchers) listener(call, response);
        if (fault?.error) throw fault.error;
        return response;
    }

    #settle(): void {
        this.#memory.settle(this.#now());
        for (const { settle } of Object.values(this.#services))
            if (settle) this.#memory.transaction(() => settle(this.#scope({ account: "", region: "" })));
    }

    #scope(caller: Caller, frozen = false): Scope {
        return new Scope(this.#memory, { now: () => this.#now(), speed: this.#options.speed ?? 1, frozen }, caller);
    }

    #now(): number {
        return this.#options.clock?.() ?? Date.now();
    }
}
