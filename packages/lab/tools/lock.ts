import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const RENEW_MILLISECONDS = 2_000;
/** A lock that was not renewed for this long belonged to a process that was killed. */
const STALE_MILLISECONDS = 15_000;

/**
 * Runs work while no other process runs work under the same lock file.
 *
 * Two processes may hold the lock if both find a killed holder's lock at the same moment. So the work must be safe to run twice at once,
 * such as work that ends in a rename.
 */
export async function withLock<Result>(file: string, onWait: () => void, work: () => Promise<Result>): Promise<Result> {
    const own = `${file}.${randomUUID()}`;
    await writeFile(own, own);
    try {
        let waited = false;
        while (!(await taken(own, file))) {
            if (!waited) onWait();
            waited = true;
            await sleep(RENEW_MILLISECONDS / 4);
        }
        const renewal = setInterval(() => renew(own).catch(() => {}), RENEW_MILLISECONDS);
        try {
            await removeAbandoned(file);
            return await work();
        } finally {
            clearInterval(renewal);
            // Without a renewal for too long (a suspended machine), another process may hold the lock by now.
            if ((await readFile(file, "utf8").catch(() => "")) === own) await rm(file, { force: true });
        }
    } finally {
        await rm(own, { force: true });
    }
}

/** Tries to take the lock. A hard link is atomic, and shares its modification time with `own`, which is renewed. */
async function taken(own: string, file: string): Promise<boolean> {
    // Otherwise the lock would look stale at once after a long wait.
    await renew(own);
    try {
        await link(own, file);
        return true;
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (await isStale(file)) {
        const theirs = await readFile(file, "utf8").catch(() => "");
        await rm(file, { force: true });
        if (theirs.startsWith(`${file}.`)) await rm(theirs, { force: true });
    }
    return false;
}

/** Removes files of processes that were killed while they waited. */
async function removeAbandoned(file: string): Promise<void> {
    const left = (await readdir(dirname(file)))
        .filter((entry) => entry.startsWith(`${basename(file)}.`))
        .map((entry) => join(dirname(file), entry));
    for (const entry of left) if (await isStale(entry)) await rm(entry, { force: true });
}

async function renew(own: string): Promise<void> {
    const now = new Date();
    await utimes(own, now, now);
}

async function isStale(file: string): Promise<boolean> {
    const found = await stat(file).catch(() => undefined);
    return found !== undefined && Date.now() - found.mtimeMs > STALE_MILLISECONDS;
}
