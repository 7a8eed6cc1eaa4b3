import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Reserves a folder for this process until it is released or the process ends.
 *
 * @returns a function that releases the folder
 * @throws Error if another running process holds it: a second etcd would take over the first one's socket
 */
export async function claim(folder: string): Promise<() => Promise<void>> {
    const file = join(folder, "owner");
    for (;;) {
        try {
            await writeFile(file, `${process.pid}`, { flag: "wx" });
            return () => rm(file, { force: true });
        } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        }
        const owner = Number(await readFile(file, "utf8").catch(() => ""));
        if (owner > 0 && isRunning(owner))
            throw new Error(`${folder} is in use by process ${owner}; stop that process, or remove ${file} if it is not a lab`);
        await rm(file, { force: true });
    }
}

/** Whether a process with this id exists. */
export function isRunning(pid: number): boolean {
    try {
        process.kill(pid, 0);
        return true;
    } catch (error) {
        // EPERM: the process exists, and belongs to another user.
        return (error as NodeJS.ErrnoException).code === "EPERM";
    }
}
