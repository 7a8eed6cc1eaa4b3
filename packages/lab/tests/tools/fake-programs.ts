import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, vi } from "vitest";

/** A folder of each test's own, for programs that only print; it goes with the test, and so does the environment that it was given. */
export function fakePrograms() {
    let folder = "";
    beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), "clustermesh-"));
    });
    afterEach(async () => {
        vi.unstubAllEnvs();
        await rm(folder, { recursive: true, force: true });
    });
    return {
        in: (...path: string[]) => join(folder, ...path),
        /** @param under folder within the test's @returns the program's file */
        async program(under: string, name: string, output: string): Promise<string> {
            const file = join(folder, under, name);
            await mkdir(join(folder, under), { recursive: true });
            // Whatever the test's PATH.
            await writeFile(file, `#!/bin/sh\n/bin/cat <<'END'\n${output}\nEND\n`, { mode: 0o755 });
            return file;
        },
    };
}
