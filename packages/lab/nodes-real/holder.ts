import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startProcess } from "../process/processes.ts";
import { until } from "../process/until.ts";

const START_TIMEOUT_MILLISECONDS = 20_000;

/**
 * The script of the node's first process, process 1 of the node's PID namespace: it sets up the node's view of the machine and reaps orphaned processes.
 *
 * `$1` the node's name, `$2` its folder, `$3` its cgroup's name.
 */
const INIT = `
set -e
echo "$1" > /proc/sys/kernel/hostname
mount -t proc proc /proc
# Except for net and the host name, which is set above, /proc/sys is the machine's.
mount --bind /proc/sys/kernel /proc/sys/kernel; mount -o remount,ro,bind /proc/sys/kernel
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf; mount --make-shared /sys/fs/bpf
mount -t cgroup2 none /sys/fs/cgroup
echo 0 > "/sys/fs/cgroup/$3/cgroup.procs"
mount --bind "/sys/fs/cgroup/$3" /sys/fs/cgroup
mount -t tmpfs -o mode=700 tmpfs "$2/layers"
mkdir -p "$2/host/run/netns" "$2/host/run/cilium/cgroupv2"
mount --bind "$2/host/run" /run
mount --bind /run/netns /run/netns; mount --make-shared /run/netns
mount --rbind /sys/fs/cgroup /run/cilium/cgroupv2
ip link set lo up
# As on EKS nodes: packets of pods are forwarded, and may return on another path than they left.
echo 1 > /proc/sys/net/ipv4/ip_forward
for filter in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$filter"; done
touch "$2/ready"
trap 'exit 0' TERM
sleep infinity & wait
`;

/** Moves its shell into the node's cgroup and becomes the command. */
const JOIN_CGROUP = 'echo 0 > /sys/fs/cgroup/cgroup.procs && exec "$@"';

/** The process that keeps a node's namespaces alive. When it ends, the kernel ends all processes of the node and removes its mounts. */
export interface Holder {
    /** Wraps a command so that it runs in the node's namespaces and cgroup. */
    within(command: readonly string[]): [file: string, ...args: string[]];
    /** Settles when the process ends, with a sentence that says how. */
    readonly ended: Promise<string>;
    stop(): Promise<void>;
}

interface HolderOptions {
    name: string;
    /** The node's data folder. Its subfolder `host` is what pods see as the node's /etc, /opt, /run and so on. */
    folder: string;
    /** Path of the node's network namespace. */
    network: string;
    /** Folders that come before this process's own PATH. */
    path: readonly string[];
}

/**
 * Starts a node's holder in a cgroup of its own. However this process ends, the holder, its containers, mounts and cgroup end with it.
 *
 * @throws Error with the end of the holder's log
 */
export async function startHolder({ name, folder, network, path: folders }: HolderOptions): Promise<Holder> {
    const group = `clustermesh-${randomBytes(6).toString("hex")}`;
    const path = join(cgroupRoot(), group);
    mkdirSync(path);
    mkdirSync(join(folder, "layers"), { recursive: true });
    rmSync(join(folder, "ready"), { force: true });
    const unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL", "--propagation=private"];
    const process = startProcess({
        name: `node ${name}`,
        file: "nsenter",
        args: [`--net=${network}`, ...unshare, "/bin/sh", "-c", INIT, "node", name, folder, group],
        log: join(folder, "holder.log"),
        env: { PATH: [...folders, globalThis.process.env.PATH].join(":") },
        // A cgroup exists until it is removed, which fails while a process in it is still exiting.
        afterwards: `for _ in $(seq 100); do rmdir ${path} && break; [ -d ${path} ] || break; sleep 0.1; done`,
    });
    let ended: string | undefined;
    process.ended.then((how) => {
        ended = how;
    });
    const started = async () => (ended !== undefined || existsSync(join(folder, "ready")) ? true : undefined);
    await until(started, START_TIMEOUT_MILLISECONDS, `node ${name} did not start`);
    if (ended !== undefined) throw new Error(`node ${name} ${ended}: ${process.lastWords()}`);
    const enter = [`--target=${initOf(process.pid)}`, "--mount", "--pid", "--uts", "--ipc", "--net"];
    return {
        within: (command) => ["nsenter", ...enter, "/bin/sh", "-c", JOIN_CGROUP, "within", ...command],
        ended: process.ended,
        stop: () => process.stop(0),
    };
}

/** The child that is process 1 of another PID namespace. The other child is the watcher of `startProcess`. */
function initOf(pid: number): string {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    const init = children.find((child) => /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${child}/status`, "utf8")));
    if (!init) throw new Error(`process ${pid} has no child with a PID namespace of its own`);
    return init;
}

/** Where this machine has mounted cgroup2, alone or next to the cgroup v1 hierarchies. */
function cgroupRoot(): string {
    const mounts = readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .map((line) => line.split(" "));
    const found = mounts.find(([, , type]) => type === "cgroup2")?.[1];
    if (!found)
        throw new Error(
            "the lab's nodes need cgroup2, which is not mounted on this machine: run mount -t cgroup2 none /sys/fs/cgroup/unified",
        );
    return found;
}
