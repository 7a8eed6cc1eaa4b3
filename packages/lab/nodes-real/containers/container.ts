import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { attend, runHook, type Told } from "./attend.ts";
import { type BundleInput, bundle, processOf } from "./bundle.ts";
import type { Prober } from "./probes.ts";
import type { Running, Runtime } from "./runtime.ts";
import { backOff, type ContainerRecord, restarts, type Terminated } from "./status.ts";

const RETRY_MILLISECONDS = 1000;
const MESSAGE_BYTES = 4096;
/** What the kubelet leaves a container to end by itself, even if its hook has taken all the time. */
const LEAST_GRACE_SECONDS = 2;
const TERMINATION_LOG = "/dev/termination-log";

/** What a container is started with; made anew for each start, since Secrets change. */
export type Prepared = Omit<BundleInput, "pod" | "container" | "rootfs" | "layer">;

export interface ContainerOptions {
    pod: V1Pod;
    container: V1Container;
    /** Decides when it is started again. */
    restartPolicy: string;
    podAddress: string;
    /** The container's folder: one for each start is made in it. */
    folder: string;
    /** Folder of its output, `<n>.log` for each start. */
    logs: string;
    runtime: Runtime;
    prober: Omit<Prober, "exec">;
    /** @returns undefined when nothing runs for its image @throws Error that says what is missing; it is tried again */
    prepare(): Prepared | undefined;
    /** Whether it is an init container that has to end, so that one for which nothing runs has ended at once. */
    ends: boolean;
    /** The kubelet's own is 10 s. */
    backOffMilliseconds: number;
    record: ContainerRecord;
    /** Is called whenever the record has changed. */
    changed(): void;
}

/** A container that is kept running. */
export interface Container {
    readonly record: ContainerRecord;
    /** Resolves once it is there for others: its startup probe has passed. */
    readonly started: Promise<void>;
    /** Its last exit code, once it will not be started again. */
    readonly ended: Promise<number>;
    /** Ends it: the hook, TERM, and KILL when the time is over. A second call can only shorten the time. */
    stop(graceSeconds: number): void;
    /** Kills its process; what becomes of it is for the restart policy to say. */
    crash(): void;
    /** Another process in it. @throws Error when it does not run */
    exec(command: readonly string[]): ReturnType<Running["exec"]>;
    /** Its output. */
    log(previous: boolean): string;
}

/** Starts a container and keeps it running, as its restart policy says. */
export function keepContainer(options: ContainerOptions): Container {
    const { pod, container, runtime, record, changed } = options;
    const stopping = new AbortController();
    const started = Promise.withResolvers<void>();
    let current: { running: Running; input: BundleInput } | undefined;
    let kill: (() => void) | undefined;
    const logOf = (start: number) => join(options.logs, `${start}.log`);

    const exec = (command: readonly string[]) => {
        if (!current)
            throw new Error(`container ${container.name} of ${pod.metadata?.name} does not run; its image may have no program in the lab`);
        return current.running.exec(processOf(current.input, command));
    };
    const execToEnd = async (command: readonly string[], timeoutSeconds?: number) => {
        const child = exec(command);
        const signal = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1000);
        const output = [child.stdout, child.stderr].map(async (stream) => Buffer.concat((await stream?.toArray()) ?? []).toString());
        child.stdin?.on("error", () => {}).end();
        const ended = new Promise<number>((done, failed) => {
            child.once("exit", (code) => done(code ?? 137));
            signal?.addEventListener("abort", () => failed(new Error(`command took longer than ${timeoutSeconds} s`)));
        });
        const code = await ended;
        if (code !== 0) throw new Error(`command ended with code ${code}: ${(await Promise.all(output)).join("").trim()}`);
    };
    const prober: Prober = { ...options.prober, exec: execToEnd };
    const care = { container, podAddress: options.podAddress, prober };

    /** One start, to its end. @returns undefined when it could not be started */
    async function runOnce(): Promise<Terminated | undefined> {
        const begin = new Date();
        const folder = join(options.folder, `${record.restarts}`);
        const log = logOf(record.restarts);
        const over = new AbortController();
        let running: Running;
        let input: BundleInput;
        try {
            const prepared = options.prepare();
            if (!prepared) return await standStill(begin);
            mkdirSync(folder, { recursive: true });
            writeFileSync(join(folder, "message"), "");
            const files = { ...prepared.files, [container.terminationMessagePath ?? TERMINATION_LOG]: join(folder, "message") };
            const id = `${pod.metadata?.uid}-${container.name}-${record.restarts}`;
            input = { ...prepared, files, pod, container, rootfs: join(folder, "rootfs"), layer: runtime.layerOf(id) };
            running = await runtime.run({ id, bundle: bundle(input), folder, log });
        } catch (error) {
            record.now = {
                phase: "waiting",
                reason: "CreateContainerError",
                message: error instanceof Error ? error.message : String(error),
            };
            changed();
            await sleep(RETRY_MILLISECONDS, undefined, { signal: stopping.signal }).catch(() => {});
            return undefined;
        }
        current = { running, input };
        record.id = running.id;
        record.now = { phase: "running", startedAt: begin };
        changed();

        let why: string | undefined;
        const end = (graceSeconds: number, reason?: string) => {
            why ??= reason;
            endWithin(running, graceSeconds, over.signal);
        };
        kill = () => end(0);
        stopping.signal.addEventListener("abort", () => stopNow(end), { signal: over.signal });
        if (stopping.signal.aborted) stopNow(end);
        const grace = pod.spec?.terminationGracePeriodSeconds ?? 30;
        const told: Told = {
            started() {
                record.started = true;
                started.resolve();
                changed();
            },
            ready(ready) {
                record.ready = ready;
                changed();
            },
            unwell: (reason) => end(grace, reason),
        };
        attend(care, told, over.signal).catch((error) => end(grace, String(error)));

        const exitCode = await running.ended;
        over.abort();
        current = undefined;
        kill = undefined;
        const message = running.begun ? messageOf(folder, log, exitCode, why) : lastLines(log);
        const reason = !running.begun ? "StartError" : exitCode === 0 ? "Completed" : "Error";
        return { phase: "terminated", exitCode, reason, ...(message && { message }), startedAt: begin, finishedAt: new Date() };
    }

    /** A container for which nothing runs: it is ready until it is stopped. */
    async function standStill(startedAt: Date): Promise<Terminated> {
        if (!options.ends) {
            Object.assign(record, { now: { phase: "running", startedAt }, started: true, ready: true });
            changed();
            started.resolve();
            if (!stopping.signal.aborted) await new Promise((done) => stopping.signal.addEventListener("abort", done));
        }
        return { phase: "terminated", exitCode: 0, reason: "Completed", startedAt, finishedAt: new Date() };
    }

    let graceSeconds = 0;
    function stopNow(end: (graceSeconds: number) => void): void {
        if (graceSeconds <= 0) {
            end(0);
            return;
        }
        const preStop = container.lifecycle?.preStop;
        const deadline = performance.now() + graceSeconds * 1000;
        const hooked = preStop ? runHook(preStop, care).catch(() => {}) : undefined;
        // The hook's time counts.
        Promise.race([hooked, sleep(graceSeconds * 1000, undefined, { ref: false })]).then(() =>
            end(Math.max(LEAST_GRACE_SECONDS, (deadline - performance.now()) / 1000)),
        );
    }

    async function keep(): Promise<number> {
        let crashes = 0;
        for (;;) {
            if (stopping.signal.aborted) return record.last?.exitCode ?? 0;
            const terminated = await runOnce();
            if (!terminated) continue;
            Object.assign(record, { now: terminated, started: options.ends && terminated.exitCode === 0, ready: false });
            if (stopping.signal.aborted || !restarts(options.restartPolicy, terminated.exitCode)) {
                changed();
                return terminated.exitCode;
            }
            record.last = terminated;
            crashes = terminated.finishedAt.getTime() - terminated.startedAt.getTime() > 60 * options.backOffMilliseconds ? 1 : crashes + 1;
            const delay = backOff(crashes, options.backOffMilliseconds);
            if (delay > 0) {
                const message = `back-off ${Math.round(delay / 1000)}s restarting failed container=${container.name} pod=${pod.metadata?.name}`;
                record.now = { phase: "waiting", reason: "CrashLoopBackOff", message };
            }
            changed();
            await sleep(delay, undefined, { signal: stopping.signal }).catch(() => {});
            if (!stopping.signal.aborted) record.restarts++;
        }
    }

    mkdirSync(options.logs, { recursive: true, mode: 0o700 });
    return {
        record,
        started: started.promise,
        ended: keep(),
        exec,
        stop(seconds) {
            if (stopping.signal.aborted) {
                if (seconds < graceSeconds) sleep(seconds * 1000).then(() => kill?.());
                return;
            }
            graceSeconds = seconds;
            stopping.abort();
        },
        crash: () => kill?.(),
        log: (previous) => logOf(previous ? record.restarts - 1 : record.restarts),
    };

    /** What it wrote for its status, or the end of its output if it asks for that. */
    function messageOf(folder: string, log: string, exitCode: number, why: string | undefined): string {
        const written = readFileSync(join(folder, "message"), "utf8").slice(-MESSAGE_BYTES);
        if (written) return written;
        const fallback = container.terminationMessagePolicy === "FallbackToLogsOnError" && exitCode !== 0;
        return [why, fallback ? lastLines(log) : ""].filter(Boolean).join("\n");
    }
}

function lastLines(log: string): string {
    return readFileSync(log, "utf8").trimEnd().split("\n").slice(-80).join("\n").slice(-2048);
}

function endWithin(running: Running, graceSeconds: number, over: AbortSignal): void {
    if (graceSeconds <= 0) {
        running.signal("KILL");
        return;
    }
    running.signal("TERM");
    sleep(graceSeconds * 1000, undefined, { signal: over }).then(
        () => running.signal("KILL"),
        () => {},
    );
}
