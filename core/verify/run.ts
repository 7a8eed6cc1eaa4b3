import { explain } from "../text/explain.ts";
import { checkAgents } from "./agents.ts";
import { checkPairs } from "./pairs.ts";
import { type PodSettings, type StartedCluster, startPods } from "./pods.ts";
import { checkPolicy } from "./policy.ts";
import { CHECKS, type Check, type CheckId, type Finding, type Part, tally, type VerifyReport } from "./report.ts";
import { checkFailover, checkServices } from "./services.ts";
import type { VerifyContext } from "./testbed.ts";

export interface RunSettings {
    only: readonly Part[];
    pods: PodSettings;
    log: (line: string) => void;
    signal?: AbortSignal | undefined;
}

/** One run of verify over the clusters of one mesh. */
export class VerifyRun {
    readonly #context: VerifyContext;
    readonly #settings: RunSettings;
    readonly #start: number;
    readonly #checks: Check[] = [];
    readonly #measured: Pick<VerifyReport, "readiness" | "nodeLists" | "pairs" | "services"> = {
        readiness: [],
        nodeLists: [],
        pairs: [],
        services: [],
    };

    constructor(context: VerifyContext, settings: RunSettings) {
        this.#context = context;
        this.#settings = settings;
        this.#start = context.clock.now();
    }

    /** @throws the abort's reason; failed checks are in the report */
    async run(): Promise<VerifyReport> {
        if (this.#settings.only.every((part) => part === "agents")) await this.#checkAgents();
        else {
            try {
                await this.#checkAll();
            } finally {
                this.#record("cleanup", this.#context.clock.now(), await this.#cleanUp());
            }
        }
        return {
            version: 1,
            startedAt: new Date(this.#start).toISOString(),
            seconds: this.#secondsSince(this.#start),
            clusters: [...this.#context.clusters],
            checks: this.#checks,
            ...this.#measured,
        };
    }

    async #checkAgents(): Promise<void> {
        const since = this.#context.clock.now();
        const { agents, nodes, readiness, nodeLists } = await checkAgents(this.#context);
        Object.assign(this.#measured, { readiness, nodeLists });
        this.#record("agents", since, agents);
        this.#record("nodes", since, nodes);
        this.#settings.signal?.throwIfAborted();
    }

    async #checkAll(): Promise<void> {
        await this.#removeExpired();
        const started = await this.#startPods();
        await this.#step("pairs", async (since) => {
            const { pairs, small, large } = await checkPairs(this.#context, started);
            this.#measured.pairs = pairs;
            this.#record("pairs", since, small);
            this.#record("large", since, large);
        });
        await this.#step("services", async (since) => {
            const { services, global, affinity } = await checkServices(this.#context, started);
            this.#measured.services = services;
            this.#record("global", since, global);
            this.#record("affinity", since, affinity);
        });
        await this.#step("failover", async (since) => this.#record("failover", since, await checkFailover(this.#context, started)));
        // Last, because it leaves its policy on the backends.
        await this.#step("policy", async (since) => this.#record("policy", since, await checkPolicy(this.#context, started)));
    }

    /** Starts the pods while the agents are checked. */
    async #startPods(): Promise<StartedCluster[]> {
        const since = this.#context.clock.now();
        // Both must end before an error is thrown: a namespace that is still being created could not be removed.
        const [agents, pods] = await Promise.allSettled([
            this.#settings.only.includes("agents") ? this.#checkAgents() : undefined,
            startPods(this.#context, this.#settings.pods),
        ]);
        if (agents.status === "rejected") throw agents.reason;
        if (pods.status === "rejected") throw pods.reason;
        this.#record("pods", since, pods.value.findings);
        return pods.value.started;
    }

    async #step(part: Part, run: (since: number) => Promise<void>): Promise<void> {
        this.#settings.signal?.throwIfAborted();
        if (!this.#settings.only.includes(part)) return;
        await run(this.#context.clock.now());
        this.#settings.signal?.throwIfAborted();
    }

    /** Errors are ignored: a leftover namespace that cannot be removed is not a fault of the mesh. */
    async #removeExpired(): Promise<void> {
        const { testbed, clusters } = this.#context;
        const logRemoved = (cluster: string) => (names: string[]) => {
            for (const name of names) this.#settings.log(`${cluster}: removed ${name}, left behind by an earlier run`);
        };
        await Promise.all(clusters.map((cluster) => testbed.removeExpired(cluster).then(logRemoved(cluster), () => {})));
    }

    #cleanUp(): Promise<Finding[]> {
        const { testbed, clusters } = this.#context;
        const { namespace } = this.#settings.pods;
        return Promise.all(
            clusters.map(async (cluster): Promise<Finding> => {
                const about = { subject: cluster, tried: `namespace ${namespace} is removed` };
                try {
                    await testbed.removeNamespace(cluster);
                    return { ...about, outcome: "passed" };
                } catch (error) {
                    const next = `in ${cluster}: kubectl delete namespace ${namespace}`;
                    return { ...about, outcome: "failed", why: explain(error), next };
                }
            }),
        );
    }

    #record(id: CheckId, since: number, findings: Finding[]): void {
        this.#checks.push({ id, title: CHECKS[id], seconds: this.#secondsSince(since), findings });
        const { passed, failed, skipped } = tally(findings);
        const rest = [...(failed > 0 ? [`${failed} failed`] : []), ...(skipped > 0 ? [`${skipped} skipped`] : [])];
        const seconds = Math.round(this.#secondsSince(this.#start));
        this.#settings.log(`${seconds} s  ${CHECKS[id]}: ${[`${passed} of ${findings.length}`, ...rest].join(", ")}`);
        const first = findings.find(({ outcome }) => outcome === "failed");
        if (first) this.#settings.log(`      ${first.subject}: ${first.why}`);
    }

    #secondsSince(since: number): number {
        return (this.#context.clock.now() - since) / 1000;
    }
}
