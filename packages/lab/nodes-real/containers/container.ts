import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { ContainerRun, type Prepared } from "./container-run.ts";
import type { Prober } from "./probes.ts";
import { backOff, type ContainerRecord, shouldRestart, type Terminated } from "./record.ts";
import { outputOf, type Runtime } from "./runtime.ts";
import type { Supervised } from "./supervise.ts";

const RETRY_MILLISECONDS = 1000;

interface ContainerOptions {
    pod: V1Pod;
    container: V1Container;
    restartPolicy: string;
    podAddress: string;
    /** The container's folder. Each start gets a folder of its own in it. */
    folder: string;
    /** Folder of the output: `<n>.log` for each start. */
    logs: string;
    runtime: Runtime;
    prober: Omit<Prober, "exec">;
    /**
     * @returns undefined when the lab has no program for the image
     * @throws Error that says what is missing; the start is retried
     */
    prepare(): Prepared | undefined;
    /** Whether this is an init container that has to end. If the lab has no program for it, it counts as completed at once. */
    ends: boolean;
    /** Base of the restart back-off. The kubelet's own is 10 s. */
    backOffMilliseconds: number;
    record: ContainerRecord;
    /** Called whenever the record has changed. */
    changed(): void;
}

/** A container that is started, and restarted as its restart policy says. */
export class Container {
    readonly record: ContainerRecord;
    /** Resolves when the startup probe has passed. */
    readonly started: Promise<void>;
    /** The last exit code, when the container will not be started again. */
    readonly ended: Promise<number>;
    readonly #options: ContainerOptions;
    readonly #supervised: Supervised;
    readonly #stopping = new AbortController();
    readonly #started = Promise.withResolvers<void>();
    #run: ContainerRun | undefined;
    #graceSeconds = 0;

    /** Starts the container. */
    constructor(options: ContainerOptions) {
        const { record, container, podAddress, prober, logs } = options;
        this.#options = options;
        this.record = record;
        this.started = this.#started.promise;
        const exec = async (command: readonly string[], timeoutSeconds?: number) => succeeds(this.exec(command), timeoutSeconds);
        this.#supervised = { container, podAddress, prober: { ...prober, exec } };
        mkdirSync(logs, { recursive: true, mode: 0o700 });
        this.ended = this.#keepRunning();
    }

    /** Stops the container: preStop hook, TERM, and KILL when the grace period is over. A second call can only shorten the grace period. */
    stop(graceSeconds: number): void {
        if (this.#stopping.signal.aborted) {
            if (graceSeconds < this.#graceSeconds) sleep(graceSeconds * 1000).then(() => this.crash());
            return;
        }
        this.#graceSeconds = graceSeconds;
        this.#stopping.abort();
    }

    /** Kills the process. The restart policy decides whether the container is started again. */
    crash(): void {
        this.#run?.end(0);
    }

    /**
     * Starts another process in the container.
     *
     * @throws Error when the container is not running
     */
    exec(command: readonly string[]): ChildProcess {
        const { container, pod } = this.#options;
        if (!this.#run)
            throw new Error(
                `container ${container.name} of ${pod.metadata?.name} is not running; its image may have no program in the lab`,
            );
        return this.#run.exec(command);
    }

    /** File of the container's output. */
    log(previous: boolean): string {
        return this.#logOf(previous ? this.record.restarts - 1 : this.record.restarts);
    }

    #logOf(start: number): string {
        return join(this.#options.logs, `${start}.log`);
    }

    async #keepRunning(): Promise<number> {
        const { record, restartPolicy, ends, changed } = this.#options;
        const stopping = this.#stopping.signal;
        let crashes = 0;
        for (;;) {
            if (stopping.aborted) return record.last?.exitCode ?? 0;
            const terminated = await this.#runOnce();
            if (!terminated) continue;
            Object.assign(record, { now: terminated, started: ends && terminated.exitCode === 0, ready: false });
            if (stopping.aborted || !shouldRestart(restartPolicy, terminated.exitCode)) {
                changed();
                return terminated.exitCode;
            }
            record.last = terminated;
            crashes = this.#ranForLong(terminated) ? 1 : crashes + 1;
            await this.#waitForRestart(crashes);
            if (!stopping.aborted) record.restarts++;
        }
    }

    /** As the kubelet: a container that ran for long enough before it ended starts again without back-off. */
    #ranForLong({ startedAt, finishedAt }: Terminated): boolean {
        return finishedAt.getTime() - startedAt.getTime() > 60 * this.#options.backOffMilliseconds;
    }

    async #waitForRestart(crashes: number): Promise<void> {
        const { record, container, pod, backOffMilliseconds, changed } = this.#options;
        const delay = backOff(crashes, backOffMilliseconds);
        if (delay > 0) {
            const message = `back-off ${Math.round(delay / 1000)}s restarting failed container=${container.name} pod=${pod.metadata?.name}`;
            record.now = { phase: "waiting", reason: "CrashLoopBackOff", message };
        }
        changed();
        await this.#pause(delay);
    }

    async #pause(milliseconds: number): Promise<void> {
        await sleep(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => {});
    }

    /**
     * Starts the container and waits until it has ended.
     *
     * @returns undefined when the container could not be started
     */
    async #runOnce(): Promise<Terminated | undefined> {
        const { pod, container, runtime, record, folder, prepare, changed } = this.#options;
        const { restarts } = record;
        const startedAt = new Date();
        try {
            const prepared = prepare();
            if (!prepared) return await this.#idle(startedAt);
            this.#run = await ContainerRun.start(prepared, {
                ...{ pod, container, runtime, restarts, startedAt },
                supervised: this.#supervised,
                folder: join(folder, `${restarts}`),
                log: this.#logOf(restarts),
            });
        } catch (error) {
            const message = error instanceof Error ? error.message : String(error);
            record.now = { phase: "waiting", reason: "CreateContainerError", message };
            changed();
            await this.#pause(RETRY_MILLISECONDS);
            return undefined;
        }
        return this.#watch(this.#run, startedAt);
    }

    /** Reports a run and stops it when the container is to stop, until it has ended. */
    async #watch(run: ContainerRun, startedAt: Date): Promise<Terminated> {
        const { record, changed } = this.#options;
        record.id = run.id;
        record.now = { phase: "running", startedAt };
        changed();
        const stop = () => run.stop(this.#graceSeconds);
        this.#stopping.signal.addEventListener("abort", stop, { signal: run.over });
        if (this.#stopping.signal.aborted) stop();
        run.supervise({
            started: () => {
                record.started = true;
                this.#started.resolve();
                changed();
            },
            ready: (ready) => {
                record.ready = ready;
                changed();
            },
        });
        const terminated = await run.terminated();
        this.#run = undefined;
        return terminated;
    }

    /** Stands for a container whose image has no program in the lab: it is ready until it is stopped. */
    async #idle(startedAt: Date): Promise<Terminated> {
        const { record, ends, changed } = this.#options;
        if (!ends) {
            Object.assign(record, { now: { phase: "running", startedAt }, started: true, ready: true });
            changed();
            this.#started.resolve();
            const stopping = this.#stopping.signal;
            if (!stopping.aborted) await new Promise((done) => stopping.addEventListener("abort", done));
        }
        return { phase: "terminated", exitCode: 0, reason: "Completed", startedAt, finishedAt: new Date() };
    }
}

/**
 * Waits until a command has ended.
 *
 * @throws Error when it fails or takes too long
 */
async function succeeds(child: ChildProcess, timeoutSeconds?: number): Promise<void> {
    const signal = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1000);
    const output = outputOf(child);
    child.stdin?.on("error", () => {}).end();
    const code = await new Promise<number>((done, failed) => {
        child.once("exit", (code) => done(code ?? 137));
        signal?.addEventListener("abort", () => failed(new Error(`command timed out after ${timeoutSeconds} s`)));
    });
    if (code !== 0) throw new Error(`command ended with code ${code}: ${(await Promise.all(output)).join("").trim()}`);
}
