import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type DebianPrograms, ensureDebian } from "./debian.ts";
import type { ToolOptions } from "./tools.ts";

const run = promisify(execFile);
const TIMEOUT_MILLISECONDS = 60_000;

/** Programs of the machine that make nodes. Every Linux distribution has them; some containers do not. */
const BASICS = ["unshare", "nsenter", "mount", "sysctl"];

/** What a node needs from the kernel, in the order of the trials. They run in namespaces that end with the trial. */
const TRIALS = [
    ["mount a BPF file system", "mount -t bpf bpf /sys/fs/bpf"],
    ["mount cgroup2", "mount -t tmpfs none $trial && mkdir $trial/cgroup && mount -t cgroup2 none $trial/cgroup"],
    [
        "mount an overlay over the root file system",
        "cd $trial && mkdir upper work root && mount -t overlay -o lowerdir=/,upperdir=$trial/upper,workdir=$trial/work none root",
    ],
    ["make network interfaces", "ip link add lab0 type veth peer name lab1 && ip link add lab2 type bridge && ip link set lo up"],
    ["use nftables", "nft add table inet trial && nft add chain inet trial input '{ type filter hook input priority 0; }'"],
    ["use iptables", "iptables -t nat -A POSTROUTING -m comment --comment trial -j MASQUERADE"],
    [
        "load a BPF program",
        `printf '%s' '__attribute__((section("xdp"), used)) int trial(void *packet) { return 2; } char gpl[] __attribute__((section("license"), used)) = "GPL";' |
            clang -O2 -target bpf -x c -c -o $trial/trial.o - && ip link set dev lo xdpgeneric obj $trial/trial.o sec xdp`,
    ],
] as const;

/** The programs of the datapath, or why it cannot run. */
export type Datapath = { programs: DebianPrograms; why?: undefined } | { programs?: undefined; why: string };

/**
 * Tries whether Cilium's datapath can run on this machine: namespaces, mounts, links, packet filters, and a BPF program that is compiled
 * and loaded. Fetches the programs that it needs (`ensureDebian`) once namespaces are allowed.
 */
export async function tryDatapath(options: ToolOptions = {}): Promise<Datapath> {
    if (process.platform !== "linux") return { why: `Cilium's datapath needs Linux, and this is ${process.platform}` };
    for (const name of BASICS) {
        const missing = await run("/bin/sh", ["-c", `command -v ${name}`]).then(
            () => undefined,
            () => name,
        );
        if (missing) return { why: `${missing} is not on the PATH, and the lab makes nodes with it: install util-linux and procps` };
    }
    // First, since a download is useless without namespaces.
    const namespaces = await failure("true", process.env.PATH ?? "");
    if (namespaces) return { why: `this user may not create network namespaces, which requires root: ${namespaces}` };
    try {
        const programs = await ensureDebian(options);
        const why = await failedTrial([...programs.folders, process.env.PATH].join(":"));
        return why ? { why } : { programs };
    } catch (error) {
        return { why: error instanceof Error ? error.message : String(error) };
    }
}

/** Why Cilium's datapath cannot run on this machine. Undefined: it can. */
export async function whyNoDatapath(options: ToolOptions = {}): Promise<string | undefined> {
    return (await tryDatapath(options)).why;
}

async function failedTrial(path: string): Promise<string | undefined> {
    const script = TRIALS.map(([what, command]) => `{ ${command}; } || { echo "this machine does not let the lab ${what}" >&2; exit 1; }`);
    return failure(script.join("\n"), path);
}

/** Runs a script in new network and mount namespaces. `$trial` is a folder to mount over. @returns the error output if the script fails */
async function failure(script: string, path: string): Promise<string | undefined> {
    const args = ["--net", "--mount", "--propagation", "private", "/bin/sh", "-c", script];
    const trial = await mkdtemp(join(tmpdir(), "clustermesh-trial-"));
    try {
        await run("unshare", args, { timeout: TIMEOUT_MILLISECONDS, env: { ...process.env, PATH: path, trial } });
        return undefined;
    } catch (error) {
        const { stderr, message } = error as { stderr?: string; message: string };
        return stderr?.trim().split("\n").reverse().join("; ") || message;
    } finally {
        await rm(trial, { recursive: true });
    }
}
