import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const NETWORK_NAMESPACES = "/run/netns";
const PINS = "/sys/fs/bpf";

/**
 * Records the namespaces, cgroups, mounts, processes and BPF objects that a running lab uses on this machine.
 *
 * @param folder the lab's folder
 * @param networkId prefix of the names of its network namespaces
 * @returns a function that lists what is left of these, and every BPF object pinned since
 * @throws Error if no node of the lab runs, as the list would always be empty
 */
export function recordTraces(folder: string, networkId: string): () => string[] {
    const mentionsFolder = (pid: string) => readProcessFile(pid, "cmdline").includes(folder);
    const cgroups = new Set(processes().filter(mentionsFolder).flatMap(cgroupsOf));
    // Not by network namespace: the kernel reuses the number of a deleted namespace, perhaps for another lab's.
    const isOurs = (pid: string) => mentionsFolder(pid) || cgroupsOf(pid).some((cgroup) => cgroups.has(cgroup));
    const before = bpfPins();
    if (cgroups.size === 0 || !mounts(folder)) throw new Error(`no node of the lab in ${folder} runs`);
    return () => [
        ...namespaces(networkId).map((name) => `network namespace ${name}`),
        ...[...cgroups].filter((cgroup) => existsSync(cgroup)).map((cgroup) => `cgroup ${cgroup}`),
        ...(mounts(folder) ? [`a mount below ${folder}`] : []),
        ...processes()
            .filter(isOurs)
            .map((pid) => `process ${pid}: ${readProcessFile(pid, "cmdline").replaceAll("\0", " ")}`),
        ...bpfPins()
            .filter((pin) => !before.includes(pin))
            .map((pin) => `BPF object ${pin}`),
    ];
}

function namespaces(networkId: string): string[] {
    return readdirSync(NETWORK_NAMESPACES).filter((name) => name.startsWith(`${networkId}-`));
}

function processes(): string[] {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
}

/** Empty if the process has ended in the meantime, or is a zombie. */
function readProcessFile(pid: string, file: string): string {
    try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
        return "";
    }
}

/** Folder of the node cgroup in which the process runs, in each mounted hierarchy. */
function cgroupsOf(pid: string): string[] {
    const [, name] = /\/(clustermesh-[0-9a-f]+)/.exec(readProcessFile(pid, "cgroup")) ?? [];
    const roots = [...readProcessFile("self", "mountinfo").matchAll(/ (\/\S+) [^\n]* - cgroup2 /g)].flatMap(([, root]) => root ?? []);
    return name ? roots.map((root) => join(root, name)).filter((cgroup) => existsSync(cgroup)) : [];
}

/** Whether any process sees a mount in the folder. */
function mounts(folder: string): boolean {
    return processes().some((pid) => readProcessFile(pid, "mountinfo").includes(`${folder}/`));
}

function bpfPins(): string[] {
    return existsSync(PINS) ? readdirSync(PINS, { recursive: true, encoding: "utf8" }) : [];
}
