import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { withLock } from "./lock.ts";

const UNFINISHED = "unfinished-";

/** Where the lab keeps what it builds: CLUSTERMESH_CACHE, or `clustermesh` in the user's cache folder. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
    return env.CLUSTERMESH_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "clustermesh");
}

/** Runs work while no other process is at work in the folder, which is made, and removes what work that was killed has left there. */
export async function alone<Result>(folder: string, onWait: () => void, work: () => Promise<Result>): Promise<Result> {
    await mkdir(folder, { recursive: true });
    return withLock(join(folder, "lock"), onWait, async () => {
        const left = (await readdir(folder)).filter((entry) => entry.startsWith(UNFINISHED));
        await Promise.all(left.map((entry) => rm(join(folder, entry), { recursive: true, force: true })));
        return work();
    });
}

/**
 * Makes a folder that appears under its name only when it is complete; whoever comes second throws his own away. Within `alone`.
 *
 * @param fill gets the folder that it is to fill, under its name until then
 */
export async function makeFolder(folder: string, fill: (unfinished: string) => Promise<void>): Promise<void> {
    const unfinished = await mkdtemp(join(dirname(folder), UNFINISHED));
    await fill(unfinished).catch(async (error) => {
        await rm(unfinished, { recursive: true, force: true });
        throw error;
    });
    // Made for its maker alone, but containers run programs under other users.
    await chmod(unfinished, 0o755);
    await rename(unfinished, folder).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
        await rm(unfinished, { recursive: true, force: true });
    });
}

/** `makeFolder` for a folder that is alone in its kind: made once, by whoever asks first, under the lock of the folder that it is in. */
export async function onceFolder(folder: string, onWait: () => void, fill: (unfinished: string) => Promise<void>): Promise<string> {
    if (existsSync(folder)) return folder;
    await alone(dirname(folder), onWait, async () => {
        if (!existsSync(folder)) await makeFolder(folder, fill);
    });
    return folder;
}
