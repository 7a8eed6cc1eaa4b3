import { setTimeout as sleep } from "node:timers/promises";
import { AwsError } from "./error.ts";
import { Memory, type Place } from "./memory.ts";
import { type Caller, type Quota, Scope } from "./scope.ts";
import type { AnyTable } from "./table.ts";

/** A service: from the scope of a call to its actions, named as AWS names them but for the first letter. They are synchronous, so a call is atomic. */
export type Service = ((scope: Scope) => Record<string, (request: never) => unknown>) & {
    /** What the service does by itself once its time has come, beyond what a timer can say. Runs before each look, in no place in particular. */
    settle?: (scope: Scope) => void;
};

/** What callers see of services: each action as a promise, since a call takes time. */
export type Api<S extends Record<string, Service>> = {
    [N in keyof S]: { [A in keyof ReturnType<S[N]>]: Call<ReturnType<S[N]>[A]> };
};
type Call<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never;

/** A call that is about to be made. */
export interface CallInfo extends Place {
    service: string;
    action: string;
    request: unknown;
    /** How often this action has been called, this call included, since the simulation was started. */
    count: number;
}

/** What goes wrong with a call. */
export interface Fault {
    /** Milliseconds that the call takes. */
    latency?: number;
    error?: AwsError;
    /** With `error`: the call does its work, and only the answer is lost. */
    lost?: boolean;
    /** What the call starts never ends: a NAT gateway stays pending. `Simulation.thaw` ends it. */
    freeze?: boolean;
}

export interface SimulationOptions {
    /** Where the state lives; none: in memory only. */
    file?: string;
    /** Makes ids differ from those of another simulation. */
    seed?: string;
    /** Milliseconds since 1970. */
    clock?: () => number;
    /** By how much faster than AWS things get ready; `Infinity`: at the next look. */
    speed?: number;
    /** Asked before each call. */
    hook?: (call: CallInfo) => Fault | undefined | Promise<Fault | undefined>;
}

/**
 * A simulated AWS: not AWS, and not all of it. It keeps the documented rules that the tables in `*-rules.ts` list, each with a test that names it, and
 * claims no others. Not kept: IAM permissions (every caller may do everything in its own account), paging, prices, IPv6.
 *
 * State is kept for each account and region apart, and saved after each call that changes it. What takes time (pending → available) is stamped with the
 * time at which it is due and settled at the next look, so that it survives a restart. One process at a time may use a file.
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

    /** The services as a caller in that account and region meets them. */
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

    /** Looks at, or changes, what is there without any service's rules: for the lab itself and for tests that need things changed behind a program's back. */
    edit<T>(place: Place, work: (scope: Scope) => T): T {
        this.#settle();
        return this.#memory.transaction(() => work(this.#scope(place)));
    }

    /** Raises or lowers a limit. */
    setQuota({ account, region }: Place, quota: Quota, value: number): void {
        if (quota.max !== undefined && value > quota.max)
            throw new Error(`AWS does not raise quota ${quota.code} over ${quota.max}, so not to ${value}`);
        const key = `${account}/${region}`;
        this.#memory.state.quotas[key] = { ...this.#memory.state.quotas[key], [quota.code]: value };
        this.#memory.save();
    }

    /** Makes everything due that was frozen. */
    thaw(): void {
        const now = this.#now();
        this.#memory.state.transitions = this.#memory.state.transitions.map((one) => ({ ...one, due: one.due ?? now }));
        this.#memory.save();
    }

    /** Hears of every call that succeeded. Returns how to stop it. */
    watch(listener: (call: CallInfo, response: unknown) => void): () => void {
        this.#watchers.add(listener);
        return () => this.#watchers.delete(listener);
    }

    /** A number that grows with every change, those included that come by themselves: made due ones are made first. Cheap enough to be asked all the time. */
    revision(): number {
        this.#settle();
        return this.#memory.revision;
    }

    /** What `table` still holds, in every account and region. After the last destroy: nothing. */
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
            // Copied on the way in and out: whoever changes what it sent or got would change what is kept.
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
