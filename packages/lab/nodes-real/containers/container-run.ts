import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { type BundleInput, bundle, processOf } from "./bundle.ts";
import type { Terminated } from "./record.ts";
import type { Running, Runtime } from "./runtime.ts";
import { runHook, type Supervised, type SupervisionEvents, supervise } from "./supervise.ts";

const MESSAGE_BYTES = 4096;
/** The kubelet gives a container at least this long to end by itself, even if its preStop hook has used up the grace period. */
const LEAST_GRACE_SECONDS = 2;
const DEFAULT_GRACE_SECONDS = 30;
const TERMINATION_LOG = "/dev/termination-log";

/** What a container is started with. Made again for every start, because Secrets and ConfigMaps change. */
export type Prepared = Omit<BundleInput, "pod" | "container" | "rootfs" | "layer">;

export interface RunOptions {
    pod: V1Pod;
    container: V1Container;
    runtime: Runtime;
    supervised: Supervised;
    /** Number of earlier starts. */
    restarts: number;
    /** Folder of this start. */
    folder: string;
    /** File that receives the output. */
    log: string;
    startedAt: Date;
}

/** One start of a container, until its process has ended. */
export class ContainerRun {
    readonly #options: RunOptions;
    readonly #running: Running;
    readonly #input: BundleInput;
    readonly #over = new AbortController();
    /** Why the container was ended. */
    #reason: string | undefined;

    /** @throws Error when the container cannot be created */
    static async start(prepared: Prepared, options: RunOptions): Promise<ContainerRun> {
        const { pod, container, runtime, restarts, folder, log } = options;
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, "message"), "");
        const files = { ...prepared.files, [container.terminationMessagePath ?? TERMINATION_LOG]: join(folder, "message") };
        const id = `${pod.metadata?.uid}-${container.name}-${restarts}`;
        const input = { ...prepared, files, pod, container, rootfs: join(folder, "rootfs"), layer: runtime.layerOf(id) };
        const running = await runtime.run({ id, bundle: bundle(input), folder, log });
        return new ContainerRun(options, running, input);
    }

    private constructor(options: RunOptions, running: Running, input: BundleInput) {
        this.#options = options;
        this.#running = running;
        this.#input = input;
    }

    get id(): string {
        return this.#running.id;
    }

    /** Aborted when the process has ended. */
    get over(): AbortSignal {
        return this.#over.signal;
    }

    exec(command: readonly string[]): ReturnType<Running["exec"]> {
        return this.#running.exec(processOf(this.#input, command));
    }

    /** Runs the postStart hook and the probes. Ends the container when one of them calls for it. */
    supervise(events: Omit<SupervisionEvents, "unhealthy">): void {
        const grace = this.#options.pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
        const unhealthy = (reason: string) => this.end(grace, reason);
        supervise(this.#options.supervised, { ...events, unhealthy }, this.over).catch((error) => unhealthy(String(error)));
    }

    /** Stops the container: preStop hook, TERM, and KILL when the grace period is over. The hook's time counts. */
    stop(graceSeconds: number): void {
        if (graceSeconds <= 0) {
            this.end(0);
            return;
        }
        const { container, supervised } = this.#options;
        const preStop = container.lifecycle?.preStop;
        const deadline = performance.now() + graceSeconds * 1000;
        const hook = preStop ? runHook(preStop, supervised).catch(() => {}) : undefined;
        Promise.race([hook, sleep(graceSeconds * 1000, undefined, { ref: false })]).then(() =>
            this.end(Math.max(LEAST_GRACE_SECONDS, (deadline - performance.now()) / 1000)),
        );
    }

    /** Sends TERM, and KILL when the grace period is over; without a grace period KILL at once. */
    end(graceSeconds: number, reason?: string): void {
        this.#reason ??= reason;
        if (graceSeconds <= 0) {
            this.#running.signal("KILL");
            return;
        }
        this.#running.signal("TERM");
        sleep(graceSeconds * 1000, undefined, { signal: this.over }).then(
            () => this.#running.signal("KILL"),
            () => {},
        );
    }

    /** Waits until the process has ended. */
    async terminated(): Promise<Terminated> {
        const { startedAt, log } = this.#options;
        const exitCode = await this.#running.ended;
        this.#over.abort();
        const message = this.#running.begun ? this.#message(exitCode) : lastLines(log);
        const reason = !this.#running.begun ? "StartError" : exitCode === 0 ? "Completed" : "Error";
        return { phase: "terminated", exitCode, reason, ...(message && { message }), startedAt, finishedAt: new Date() };
    }

    /** What the container wrote to its termination log, or the end of its output if its policy asks for that. */
    #message(exitCode: number): string {
        const { container, folder, log } = this.#options;
        const written = readFileSync(join(folder, "message"), "utf8").slice(-MESSAGE_BYTES);
        if (written) return written;
        const fallback = container.terminationMessagePolicy === "FallbackToLogsOnError" && exitCode !== 0;
        return [this.#reason, fallback ? lastLines(log) : ""].filter(Boolean).join("\n");
    }
}

function lastLines(log: string): string {
    return readFileSync(log, "utf8").trimEnd().split("\n").slice(-80).join("\n").slice(-2048);
}
