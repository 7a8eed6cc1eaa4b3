import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { withLock } from "./lock.ts";

const UNFINISHED = "unfinished-";

/** Folder for built programs: CLUSTERMESH_CACHE, by default `clustermesh` in the user's cache folder. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
    return env.CLUSTERMESH_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "clustermesh");
}

/** Makes the folder, waits until no other process works in it, removes unfinished folders of killed processes, and runs the work. */
export async function alone<Result>(folder: string, onWait: () => void, work: () => Promise<Result>): Promise<Result> {
    await mkdir(folder, { recursive: true });
    return withLock(join(folder, "lock"), onWait, async () => {
        const unfinished = (await readdir(folder)).filter((entry) => entry.startsWith(UNFINISHED));
        await Promise.all(unfinished.map((entry) => rm(join(folder, entry), { recursive: true, force: true })));
        return work();
    });
}

/**
 * Makes a folder that appears under its name only when it is complete. If it exists by then, the existing folder stays. Call it within
 * `alone`.
 *
 * @param fill fills the folder, which it gets under a temporary name
 */
export async function makeFolder(folder: string, fill: (unfinished: string) => Promise<void>): Promise<void> {
    const unfinished = await mkdtemp(join(dirname(folder), UNFINISHED));
    await fill(unfinished).catch(async (error) => {
        await rm(unfinished, { recursive: true, force: true });
        throw error;
    });
    // mkdtemp gives access to this user only, but containers run the programs as other users.
    await chmod(unfinished, 0o755);
    await rename(unfinished, folder).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
        await rm(unfinished, { recursive: true, force: true });
    });
}

/** Makes a folder unless it exists, under the lock of its parent folder. */
export async function onceFolder(folder: string, onWait: () => void, fill: (unfinished: string) => Promise<void>): Promise<string> {
    if (existsSync(folder)) return folder;
    await alone(dirname(folder), onWait, async () => {
        if (!existsSync(folder)) await makeFolder(folder, fill);
    });
    return folder;
}
