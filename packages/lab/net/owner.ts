import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A file for each kernel network of this machine names its owner process, so that the networks of killed owners can be removed. */
const REGISTRY = "/run/clustermesh";
const NAMESPACES = "/run/netns";

/**
 * Registers this process as the owner of the network `id`.
 *
 * @returns removes the registration
 * @throws Error when a running process owns the id
 */
export function own(id: string): () => void {
    const file = join(REGISTRY, id);
    const owner = ownerOf(file);
    if (owner !== undefined && isRunning(owner))
        throw new Error(`network id "${id}" is in use by process ${owner.pid}: stop that process, or use another id`);
    mkdirSync(REGISTRY, { recursive: true });
    writeFileSync(file, `${process.pid} ${startTimeOf(process.pid)}`);
    return () => rmSync(file, { force: true });
}

/**
 * The namespaces of owners that are not running any more, and a function that removes their registrations.
 *
 * Includes existing namespaces of `id`, which this process has just registered.
 */
export function abandoned(id: string): { namespaces: string[]; forget(): void } {
    const dead = list(REGISTRY).filter((network) => !isRunning(ownerOf(join(REGISTRY, network))));
    return {
        namespaces: list(NAMESPACES).filter((name) => [id, ...dead].some((network) => name.startsWith(`${network}-`))),
        forget: () => {
            for (const network of dead) rmSync(join(REGISTRY, network), { force: true });
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
    startTime: string;
}

function ownerOf(file: string): Owner | undefined {
    try {
        const [pid = "", startTime = ""] = readFileSync(file, "utf8").split(" ");
        return { pid: Number(pid), startTime };
    } catch {
        return undefined;
    }
}

/** Compares the start time as well, because another process may have the same pid by now. */
function isRunning(owner: Owner | undefined): boolean {
    return owner !== undefined && owner.startTime !== "" && startTimeOf(owner.pid) === owner.startTime;
}

/** When a process started, in clock ticks since boot; undefined when it does not exist. */
function startTimeOf(pid: number): string | undefined {
    try {
        // The name, in parentheses, may contain anything. Field 22 is the 20th after it.
        return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, "").trim().split(" ")[19];
    } catch {
        return undefined;
    }
}
