import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where each kernel network of this machine says whose it is, for whoever comes after an owner that was killed. */
const REGISTRY = "/run/clustermesh";
const NAMESPACES = "/run/netns";

/**
 * Enters this process as the owner of what begins with `id`.
 *
 * @returns strikes it out again
 * @throws Error when a process that lives owns that id
 */
export function own(id: string): () => void {
    const file = join(REGISTRY, id);
    const before = ownerOf(file);
    if (before !== undefined && lives(before))
        throw new Error(`the network ${id} is that of process ${before.pid}: stop it, or take another id`);
    mkdirSync(REGISTRY, { recursive: true });
    writeFileSync(file, `${process.pid} ${startOf(process.pid)}`);
    return () => rmSync(file, { force: true });
}

/** The namespaces whose owner is dead, and what strikes him out. Those that begin with this process's own new `id` cannot be anybody's either. */
export function abandoned(id: string): { namespaces: string[]; forget(): void } {
    const dead = list(REGISTRY).filter((one) => !lives(ownerOf(join(REGISTRY, one))));
    return {
        namespaces: list(NAMESPACES).filter((name) => [id, ...dead].some((one) => name.startsWith(`${one}-`))),
        forget: () => {
            for (const one of dead) rmSync(join(REGISTRY, one), { force: true });
        },
    };
}

function list(folder: string): string[] {
    try {
        return readdirSync(folder);
    } catch {
        return [];
    }
}

interface Owner {
    pid: number;
    start: string;
}

function ownerOf(file: string): Owner | undefined {
    try {
        const [pid = "", start = ""] = readFileSync(file, "utf8").split(" ");
        return { pid: Number(pid), start };
    } catch {
        return undefined;
    }
}

/** Its number may be another process's by now: the time at which that one started tells. */
function lives(owner: Owner | undefined): boolean {
    return owner !== undefined && owner.start !== "" && startOf(owner.pid) === owner.start;
}

/** When a process started, in ticks since the machine did; nothing when there is none. */
function startOf(pid: number): string | undefined {
    try {
        // Its name, in brackets, may hold anything; field 22 is the 20th after it.
        return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, "").trim().split(" ")[19];
    } catch {
        return undefined;
    }
}
