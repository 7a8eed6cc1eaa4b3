import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const NETWORK_NAMESPACES = "/run/netns";
const PINS = "/sys/fs/bpf";

/**
 * Notes what a lab has of this machine while it runs.
 *
 * @param folder the lab's
 * @param networkId what the names of its network namespaces begin with
 * @returns what of it is left, and what has come since, in words
 * @throws Error when there is nothing to note, and so nothing could be found later
 */
export function noteTraces(folder: string, networkId: string): () => string[] {
    const names = (pid: string) => ofProcess(pid, "cmdline").includes(folder);
    const groups = new Set(processes().filter(names).flatMap(groupsOf));
    // Not by their network namespace: the kernel gives the number of one that is gone to the next, another lab's.
    const isOurs = (pid: string) => names(pid) || groupsOf(pid).some((group) => groups.has(group));
    const before = pins();
    if (groups.size === 0 || !mounts(folder)) throw new Error(`no node of the lab in ${folder} runs`);
    return () => [
        ...namespaces(networkId).map((name) => `network namespace ${name}`),
        ...[...groups].filter((group) => existsSync(group)).map((group) => `cgroup ${group}`),
        ...(mounts(folder) ? [`a mount below ${folder}`] : []),
        ...processes()
            .filter(isOurs)
            .map((pid) => `process ${pid}: ${ofProcess(pid, "cmdline").replaceAll("\0", " ")}`),
        ...pins()
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

/** A process may end meanwhile; a zombie has nothing. */
function ofProcess(pid: string, file: string): string {
    try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
        return "";
    }
}

/** Folders of the cgroups that nodes have. */
function groupsOf(pid: string): string[] {
    const [, name] = /\/(clustermesh-[0-9a-f]+)/.exec(ofProcess(pid, "cgroup")) ?? [];
    const roots = [...ofProcess("self", "mountinfo").matchAll(/ (\/\S+) [^\n]* - cgroup2 /g)].flatMap(([, root]) => root ?? []);
    return name ? roots.map((root) => join(root, name)).filter((group) => existsSync(group)) : [];
}

/** Whether any process sees a mount below the folder. */
function mounts(folder: string): boolean {
    return processes().some((pid) => ofProcess(pid, "mountinfo").includes(`${folder}/`));
}

function pins(): string[] {
    return existsSync(PINS) ? readdirSync(PINS, { recursive: true, encoding: "utf8" }) : [];
}
