import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, vi } from "vitest";

/** Gives each test a folder for programs that only print. The folder, and stubbed environment variables, are removed after the test. */
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
        /** @param under folder within the test's folder @returns the program's file */
        async program(under: string, name: string, output: string): Promise<string> {
            const file = join(folder, under, name);
            await mkdir(join(folder, under), { recursive: true });
            // /bin/cat works with any PATH of the test.
            await writeFile(file, `#!/bin/sh\n/bin/cat <<'END'\n${output}\nEND\n`, { mode: 0o755 });
            return file;
        },
    };
}
