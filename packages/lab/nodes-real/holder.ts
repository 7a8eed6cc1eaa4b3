import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startProcess } from "../process/processes.ts";
import { until } from "../process/until.ts";

const START_TIMEOUT_MILLISECONDS = 20_000;

/**
 * What the node's first process does, as process 1 of a PID namespace of its own: makes the node's view of the machine, and reaps what is left over.
 * `$1` the node's name, `$2` its folder, `$3` its cgroup's name.
 */
const NODE = `
set -e
echo "$1" > /proc/sys/kernel/hostname
mount -t proc proc /proc
# /proc/sys is the machine's but for net and the host's name, which has just been set.
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
# As EKS's nodes have it: the packets of pods are forwarded, and come back another way than they went.
echo 1 > /proc/sys/net/ipv4/ip_forward
for filter in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > "$filter"; done
touch "$2/ready"
trap 'exit 0' TERM
sleep infinity & wait
`;

/** The process that a node's namespaces hang on. When it ends, the kernel ends every process of the node and takes its mounts away. */
export interface Holder {
    /** The command that runs another one in the node: its namespaces and its cgroup. */
    within(command: readonly string[]): [file: string, ...args: string[]];
    /** Settles when it ends, with the sentence that says how. */
    readonly ended: Promise<string>;
    stop(): Promise<void>;
}

export interface HolderOptions {
    name: string;
    /** The node's data folder. Its `host` holds what a pod sees of the node's own /etc, /opt, /run and so on. */
    folder: string;
    /** Path of the node's network namespace. */
    network: string;
    /** Folders that go before this process's own PATH. */
    path: readonly string[];
}

/**
 * Starts a node's holder, with a cgroup of its own. However this process ends, holder, containers, mounts and cgroup go with it.
 *
 * @throws Error with the holder's last words
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
        args: [`--net=${network}`, ...unshare, "/bin/sh", "-c", NODE, "node", name, folder, group],
        log: join(folder, "holder.log"),
        env: { PATH: [...folders, globalThis.process.env.PATH].join(":") },
        // A cgroup stays until it is removed, and cannot be while a process in it is on its way out.
        afterwards: `for _ in $(seq 100); do rmdir ${path} && break; [ -d ${path} ] || break; sleep 0.1; done`,
    });
    let ended: string | undefined;
    process.ended.then((how) => {
        ended = how;
    });
    const started = async () => (ended !== undefined || existsSync(join(folder, "ready")) ? true : undefined);
    await until(started, START_TIMEOUT_MILLISECONDS, `node ${name} does not start`);
    if (ended !== undefined) throw new Error(`node ${name} ${ended}: ${process.lastWords()}`);
    const enter = [`--target=${initOf(process.pid)}`, "--mount", "--pid", "--uts", "--ipc", "--net"];
    const join_ = 'echo 0 > /sys/fs/cgroup/cgroup.procs && exec "$@"';
    return {
        within: (command) => ["nsenter", ...enter, "/bin/sh", "-c", join_, "within", ...command],
        ended: process.ended,
        stop: () => process.stop(0),
    };
}

/** The child that is process 1 of another PID namespace; the other one is the watcher of `startProcess`. */
function initOf(pid: number): string {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    const init = children.find((child) => /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${child}/status`, "utf8")));
    if (!init) throw new Error(`process ${pid} has no child with a PID namespace of its own`);
    return init;
}

/** Where this machine has its cgroup2: alone, or beside the hierarchies of cgroup v1. */
function cgroupRoot(): string {
    const mounts = readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .map((line) => line.split(" "));
    const found = mounts.find(([, , type]) => type === "cgroup2")?.[1];
    if (!found)
        throw new Error("no cgroup2 is mounted on this machine; the lab's nodes need one (mount -t cgroup2 none /sys/fs/cgroup/unified)");
    return found;
}
