import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Holder } from "../holder.ts";
import type { Bundle, OciProcess } from "./bundle.ts";

const START_POLL_MILLISECONDS = 10;
/** The node's PID namespace ends all containers at the latest, so crun manages no cgroups. */
const CRUN = ["--root=/run/crun", "--cgroup-manager=disabled"];

/**
 * Runs a container. Its root file system is the machine's with a writable layer of its own above it, mounted only in the node's mount namespace.
 *
 * `$1` crun, `$2` the container's folder, `$3` its layer, `$4` its id; further arguments are folders that its mounts need.
 */
const RUN = `
crun=$1 folder=$2 layer=$3 id=$4
shift 4
mkdir -p "$layer/upper" "$layer/work" "$folder/rootfs" "$@"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$folder/rootfs" || exit 125
"$crun" ${CRUN.join(" ")} run --bundle "$folder" --pid-file "$folder/pid" "$id"
code=$?
umount "$folder/rootfs"; rm -rf "$layer"
exit $code
`;

/** A container that has been started. */
export interface Running {
    readonly id: string;
    /** Its exit code; 128 plus the signal's number when a signal ended it. */
    readonly ended: Promise<number>;
    /** Whether crun started the container. If not, the log holds crun's error. */
    readonly begun: boolean;
    signal(name: "TERM" | "KILL"): Promise<void>;
    /** Starts another process in the container. */
    exec(process: OciProcess): ChildProcess;
}

export interface RunOptions {
    id: string;
    bundle: Bundle;
    /** The container's folder. */
    folder: string;
    /** File that receives the output. */
    log: string;
}

interface CommandOptions {
    env?: NodeJS.ProcessEnv;
    /** Standard input. @default nothing */
    input?: string;
    /** @default 60 */
    timeoutSeconds?: number;
}

interface RuntimeOptions {
    /** Path of crun. */
    crun: string;
    /** Folders that come before this process's own PATH. */
    path: readonly string[];
    /** Folder of the containers' writable layers, in the node's view. */
    layers: string;
}

/** Runs the containers of one node with crun. */
export class Runtime {
    readonly #holder: Holder;
    readonly #options: RuntimeOptions;
    readonly #env: NodeJS.ProcessEnv;
    #execs = 0;

    constructor(holder: Holder, options: RuntimeOptions) {
        this.#holder = holder;
        this.#options = options;
        this.#env = { ...process.env, PATH: [...options.path, process.env.PATH].join(":") };
    }

    /** Folder of a container's writable layer, in the node's view. */
    layerOf(id: string): string {
        return join(this.#options.layers, id);
    }

    /** Starts a container. Resolves when it runs or has ended. */
    async run({ id, bundle, folder, log }: RunOptions): Promise<Running> {
        const { crun } = this.#options;
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, "config.json"), JSON.stringify(bundle));
        const output = openSync(log, "a", 0o600);
        const command = ["/bin/sh", "-c", RUN, "run", crun, folder, this.layerOf(id), id, ...overlayFolders(bundle)];
        const child = this.#start(command, ["ignore", output, output]);
        closeSync(output);
        const ended = exitCode(child);
        let over = false;
        const end = () => {
            over = true;
        };
        ended.then(end, end);
        // Until crun has written the file, no process exists that could receive a signal or be joined by another.
        while (!over && !existsSync(join(folder, "pid"))) await sleep(START_POLL_MILLISECONDS);
        return {
            id,
            ended,
            begun: existsSync(join(folder, "pid")),
            // Fails when the container has ended in the meantime, which is no error.
            signal: (name) =>
                this.command([crun, ...CRUN, "kill", id, name]).then(
                    () => {},
                    () => {},
                ),
            exec: (process) => this.#exec(id, folder, process),
        };
    }

    /**
     * Runs a command in the node and waits until it has ended.
     *
     * @returns its standard output
     * @throws Error with its output when it fails or takes too long
     */
    async command(command: readonly string[], { env, input = "", timeoutSeconds = 60 }: CommandOptions = {}): Promise<string> {
        const child = this.#start(["timeout", "--kill-after=1", `${timeoutSeconds}`, ...command], ["pipe", "pipe", "pipe"], env);
        const output = outputOf(child);
        child.stdin?.on("error", () => {}).end(input);
        const [code, stdout = "", stderr = ""] = await Promise.all([exitCode(child), ...output]);
        if (code === 124) throw new Error(`${command[0]} timed out after ${timeoutSeconds} s`);
        if (code !== 0) throw new Error(`${command[0]} ended with code ${code}: ${(stderr || stdout).trim()}`);
        return stdout;
    }

    #exec(id: string, folder: string, process: OciProcess): ChildProcess {
        this.#execs += 1;
        const file = join(folder, `exec-${this.#execs}.json`);
        writeFileSync(file, JSON.stringify(process));
        const child = this.#start([this.#options.crun, ...CRUN, "exec", "--process", file, id], ["pipe", "pipe", "pipe"]);
        // Otherwise a probe every second would fill the folder.
        child.once("exit", () => rmSync(file, { force: true }));
        return child;
    }

    #start(command: readonly string[], stdio: ("ignore" | "pipe" | number)[], env = this.#env): ChildProcess {
        const [file, ...args] = this.#holder.within(command);
        // Detached: only the lab receives an interrupt from the terminal, and it stops its nodes in order.
        return spawn(file, args, { stdio, detached: true, env });
    }
}

/** The upper and work folders of a container's overlay mounts. */
function overlayFolders({ mounts }: Bundle): string[] {
    return mounts.flatMap(({ options }) => options.flatMap((option) => /^(?:upper|work)dir=(.*)/.exec(option)?.[1] ?? []));
}

/** Everything that a process writes to standard output and to standard error. */
export function outputOf({ stdout, stderr }: ChildProcess): Promise<string>[] {
    return [stdout, stderr].map(async (stream) => Buffer.concat((await stream?.toArray()) ?? []).toString());
}

const SIGNALS: Readonly<Record<string, number>> = { SIGTERM: 15, SIGKILL: 9, SIGINT: 2 };

/** A process's exit code as a shell reports it: 128 plus the signal's number when a signal ended it. */
async function exitCode(child: ChildProcess): Promise<number> {
    const [code, signal] = await once(child, "exit");
    return code ?? 128 + (SIGNALS[signal] ?? 0);
}
