import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Makes the folder this process's own until it is released or the process ends.
 *
 * @returns releases it
 * @throws Error when another process that runs has it: a second etcd would take the first one's socket away
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
        if (owner > 0 && runs(owner))
            throw new Error(`${folder} is in use by process ${owner}; stop it, or remove ${file} if that is no lab`);
        await rm(file, { force: true });
    }
}

/** Whether there is a process of this id. */
export function runs(pid: number): boolean {
    try {
        process.kill(pid, 0);
        return true;
    } catch (error) {
        // Somebody else's process runs too.
        return (error as NodeJS.ErrnoException).code === "EPERM";
    }
}
