import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SimulatedAws } from "../aws/aws.ts";
import { setMeasuredHealth } from "../aws/elb/target-health.ts";
import type { Place } from "../aws/memory.ts";
import { Kernel } from "./kernel.ts";
import { type Netd, startNetd } from "./netd.ts";
import { abandoned, own } from "./owner.ts";
import { type Check, type MeasuredHealth, namespaceName } from "./plan/plan.ts";
import { planNetwork } from "./plan/plan-network.ts";

const ANYWHERE: Place = { account: "", region: "" };
const EMPTY_PLAN = { namespaces: new Map<string, never>(), links: new Map<string, never>() };
/** How long a change of the simulated AWS may go unnoticed. */
const POLL_MILLISECONDS = 50;
const LEAST_CHECK_MILLISECONDS = 100;

interface NetworkOptions {
    aws: SimulatedAws;
    /** Prefix of the names of this network's namespaces, unlike that of any other lab: a lowercase letter, then up to 9 lowercase letters and digits. */
    id: string;
    programs: { ip: string; nft: string; netd: string };
    /** Folder for netd's log. */
    folder: string;
    log: (line: string) => void;
    /** How many times as often health is checked as target groups say. @default 10 */
    checkSpeed?: number;
}

/** The kernel network of a simulated AWS: real packets, in namespaces that have no link to the machine's own network. */
export interface Network {
    /** Name below /run/netns of the network namespace of an attached interface. In the namespace, the interface is `eth0`. */
    namespaceOf(interfaceId: string): string;
    /**
     * Resolves when the kernel matches the current simulated AWS. Does not wait for health checks.
     *
     * @throws Error with everything that could not be created
     */
    settled(): Promise<void>;
    /** Removes the network. May be called more than once. End all processes that run in its namespaces first. */
    close(): Promise<void>;
}

/**
 * Creates the network and keeps it in step with the simulated AWS.
 *
 * Reports the measured health of load balancer targets to the simulated ELB. First removes the networks of owners that were killed. Needs root.
 *
 * @throws Error when this process is not root, or the id is invalid or in use
 */
export async function startNetwork(options: NetworkOptions): Promise<Network> {
    const { id, programs, folder } = options;
    if (process.getuid?.() !== 0) throw new Error("network namespaces need root: run the lab as root, or without a kernel network");
    if (!/^[a-z][a-z0-9]{0,9}$/.test(id))
        throw new Error(`network id must be a lowercase letter, then up to 9 lowercase letters and digits; got "${id}"`);
    const disown = own(id);
    const { namespaces, forget } = abandoned(id);
    const kernel = new Kernel(programs);
    kernel.adopt(namespaces);
    await kernel.clear(EMPTY_PLAN);
    forget();
    mkdirSync(folder, { recursive: true });
    return new KernelNetwork(options, kernel, disown);
}

class KernelNetwork implements Network {
    readonly #options: NetworkOptions;
    readonly #kernel: Kernel;
    readonly #disown: () => void;
    readonly #netd: Netd;
    readonly #timer: NodeJS.Timeout;
    readonly #health = new Map<string, MeasuredHealth>();
    #healthChanges = 0;
    /** What the kernel matches. */
    #applied = { revision: -1, health: 0 };
    #updating: Promise<void> = Promise.resolve();
    #busy = false;
    #failures: string[] = [];

    constructor(options: NetworkOptions, kernel: Kernel, disown: () => void) {
        this.#options = options;
        this.#kernel = kernel;
        this.#disown = disown;
        this.#netd = startNetd({
            file: options.programs.netd,
            log: join(options.folder, "netd.log"),
            onHealth: (key, health) => {
                this.#health.set(key, health);
                this.#healthChanges += 1;
            },
            onEnd: (how) => this.#log(how),
        });
        this.#timer = setInterval(() => this.#poll(), POLL_MILLISECONDS);
    }

    namespaceOf(interfaceId: string): string {
        return namespaceName(this.#options.id, interfaceId);
    }

    async settled(): Promise<void> {
        await this.#update();
        if (this.#failures.length > 0)
            throw new Error(`the kernel network does not match the simulated AWS:\n${this.#failures.join("\n")}`);
    }

    async close(): Promise<void> {
        clearInterval(this.#timer);
        await this.#updating.catch(() => {});
        await this.#netd.close();
        this.#report(await this.#kernel.clear(EMPTY_PLAN));
        this.#options.aws.edit(ANYWHERE, (scope) => setMeasuredHealth(scope, undefined));
        this.#disown();
    }

    #poll(): void {
        if (this.#busy) return;
        this.#update().catch((error) => this.#report([`cannot follow the simulated AWS: ${error.stack ?? error}`]));
    }

    /** Runs one update after another: two at once would apply the same difference twice. */
    #update(): Promise<void> {
        this.#busy = true;
        const update = this.#updating.catch(() => {}).then(() => this.#updateOnce());
        this.#updating = update;
        return update.finally(() => {
            this.#busy = this.#updating !== update;
        });
    }

    async #updateOnce(): Promise<void> {
        const { aws, id } = this.#options;
        const current = { revision: aws.revision(), health: this.#healthChanges };
        if (current.revision === this.#applied.revision && current.health === this.#applied.health) return;
        const plan = aws.edit(ANYWHERE, (scope) => planNetwork(scope, id, this.#health));
        const kernelFailures = await this.#kernel.make(plan);
        const netdFailures = await this.#netd.work(this.#faster(plan.checks), plan.relays);
        // After netd: a socket of netd's would keep a namespace alive that has lost its name.
        const clearFailures = await this.#kernel.clear(plan);
        for (const key of this.#health.keys()) if (!plan.checks.has(key)) this.#health.delete(key);
        const targets = targetHealth(plan.checks, this.#health);
        aws.edit(ANYWHERE, (scope) => setMeasuredHealth(scope, targets));
        this.#applied = current;
        this.#report([...kernelFailures, ...netdFailures, ...clearFailures]);
    }

    /** Logs each failure once for as long as it lasts. */
    #report(failures: string[]): void {
        const reported = new Set(this.#failures);
        for (const failure of failures) if (!reported.has(failure)) this.#log(failure);
        this.#failures = failures;
    }

    #log(line: string): void {
        this.#options.log(`network ${this.#options.id}: ${line}`);
    }

    #faster(checks: ReadonlyMap<string, Check>): Map<string, Check> {
        const { checkSpeed = 10 } = this.#options;
        const divided = (milliseconds: number) => Math.max(LEAST_CHECK_MILLISECONDS, Math.round(milliseconds / checkSpeed));
        return new Map(
            [...checks].map(([key, check]) => [
                key,
                {
                    ...check,
                    intervalMilliseconds: divided(check.intervalMilliseconds),
                    timeoutMilliseconds: divided(check.timeoutMilliseconds),
                },
            ]),
        );
    }
}

/**
 * The health of targets from the health that each interface of a balancer has measured.
 *
 * A target is healthy if one interface finds it healthy. It is unhealthy only when all interfaces have a result.
 */
function targetHealth(checks: ReadonlyMap<string, Check>, health: ReadonlyMap<string, MeasuredHealth>): Map<string, MeasuredHealth> {
    const perTarget = Map.groupBy(checks.keys(), (key) => key.slice(key.indexOf(" ") + 1));
    return new Map(
        [...perTarget].flatMap(([target, keys]): [string, MeasuredHealth][] => {
            const results = keys.map((key) => health.get(key));
            if (results.includes("healthy")) return [[target, "healthy"]];
            return results.includes(undefined) ? [] : [[target, "unhealthy"]];
        }),
    );
}
