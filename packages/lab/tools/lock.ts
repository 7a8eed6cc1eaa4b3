import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const RENEW_MILLISECONDS = 2_000;
/** Who was killed renews no longer. */
const STALE_MILLISECONDS = 15_000;

/**
 * Runs work while no other process runs work under the same lock file.
 *
 * In one case two may: both find the lock of a killed holder at the same moment. So the work must bear being done twice, as work that ends in a rename does.
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
            // Held too long without a renewal (a suspended machine), it may be another's by now.
            if ((await readFile(file, "utf8").catch(() => "")) === own) await rm(file, { force: true });
        }
    } finally {
        await rm(own, { force: true });
    }
}

/** A hard link is made whole or not at all, and shares its time with `own`, which is renewed. */
async function taken(own: string, file: string): Promise<boolean> {
    // After a long wait the lock would look stale from its first moment.
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

/** What those left who were killed while they waited. */
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
