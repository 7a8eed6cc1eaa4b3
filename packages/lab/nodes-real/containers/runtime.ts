import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Holder } from "../holder.ts";
import type { Bundle, OciProcess } from "./bundle.ts";

const START_POLL_MILLISECONDS = 10;
const CRUN = ["--root=/run/crun", "--cgroup-manager=disabled"];

/**
 * `$1` crun, `$2` the container's folder, `$3` its layer's, `$4` its id, further ones: folders that its mounts need. The root file system is the machine's with a layer of the container's own above it,
 * mounted in the node's view only.
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
    /** Its exit code; 128 and the signal's number when a signal ended it. */
    readonly ended: Promise<number>;
    /** Whether crun could start it at all; if not, its log holds crun's words. */
    readonly begun: boolean;
    signal(name: "TERM" | "KILL"): Promise<void>;
    /** Starts another process in it. */
    exec(process: OciProcess): ChildProcess;
}

export interface RunOptions {
    id: string;
    bundle: Bundle;
    /** The container's folder. */
    folder: string;
    /** File that takes its output. */
    log: string;
}

export interface Runtime {
    /** Where a container's writes go, in the node's view. */
    layerOf(id: string): string;
    /** Starts a container. */
    run(options: RunOptions): Promise<Running>;
    /** Runs a command in the node to its end. @throws Error with what it wrote when it fails */
    command(command: readonly string[], options?: { env?: NodeJS.ProcessEnv; input?: string; timeoutSeconds?: number }): Promise<string>;
}

/** Containers of one node, by crun. The node's PID namespace is what ends them at the latest, so crun is to keep no cgroups. */
export function runtime(holder: Holder, { crun, path, layers }: { crun: string; path: readonly string[]; layers: string }): Runtime {
    let execs = 0;
    const own = { ...process.env, PATH: [...path, process.env.PATH].join(":") };
    const start = (command: readonly string[], stdio: ("ignore" | "pipe" | number)[], env: NodeJS.ProcessEnv = own) => {
        const [file, ...args] = holder.within(command);
        // Detached: an interrupt on the terminal reaches the lab alone, which ends its nodes in order.
        return spawn(file, args, { stdio, detached: true, env });
    };
    const command: Runtime["command"] = async (command, { env, input = "", timeoutSeconds = 60 } = {}) => {
        const child = start(["timeout", "--kill-after=1", `${timeoutSeconds}`, ...command], ["pipe", "pipe", "pipe"], env);
        const output = [child.stdout, child.stderr].map(async (stream) => Buffer.concat((await stream?.toArray()) ?? []).toString());
        child.stdin?.on("error", () => {}).end(input);
        const [code, stdout = "", stderr = ""] = await Promise.all([exitCode(child), ...output]);
        if (code === 124) throw new Error(`${command[0]} took longer than ${timeoutSeconds} s`);
        if (code !== 0) throw new Error(`${command[0]} ended with code ${code}: ${(stderr || stdout).trim()}`);
        return stdout;
    };
    const layerOf = (id: string) => join(layers, id);
    return {
        command,
        layerOf,
        async run({ id, bundle, folder, log }) {
            mkdirSync(folder, { recursive: true });
            writeFileSync(join(folder, "config.json"), JSON.stringify(bundle));
            const output = openSync(log, "a", 0o600);
            const needed = bundle.mounts.flatMap(({ options }) =>
                options.flatMap((option) => /^(?:upper|work)dir=(.*)/.exec(option)?.[1] ?? []),
            );
            const child = start(["/bin/sh", "-c", RUN, "run", crun, folder, layerOf(id), id, ...needed], ["ignore", output, output]);
            closeSync(output);
            const ended = exitCode(child);
            let over = false;
            const end = () => {
                over = true;
            };
            ended.then(end, end);
            // Until then there is nothing that a signal or another process could go to.
            while (!over && !existsSync(join(folder, "pid"))) await sleep(START_POLL_MILLISECONDS);
            return {
                id,
                ended,
                begun: existsSync(join(folder, "pid")),
                // One that has ended meanwhile is no error.
                signal: (name) =>
                    command([crun, ...CRUN, "kill", id, name]).then(
                        () => {},
                        () => {},
                    ),
                exec(command) {
                    const file = join(folder, `exec-${++execs}.json`);
                    writeFileSync(file, JSON.stringify(command));
                    const child = start([crun, ...CRUN, "exec", "--process", file, id], ["pipe", "pipe", "pipe"]);
                    // A probe each second would fill the folder.
                    child.once("exit", () => rmSync(file, { force: true }));
                    return child;
                },
            };
        },
    };
}

const SIGNALS: Readonly<Record<string, number>> = { SIGTERM: 15, SIGKILL: 9, SIGINT: 2 };

/** As a shell gives it. */
export async function exitCode(child: ChildProcess): Promise<number> {
    const [code, signal] = await once(child, "exit");
    return code ?? 128 + (SIGNALS[signal] ?? 0);
}
