import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tryDatapath } from "../../tools/datapath.ts";

const CACHED_CLANG = fileURLToPath(new URL("../../nodes-real/cached-clang", import.meta.url));
const datapath = await tryDatapath({ log: console.log });
if (datapath.why) console.warn(`skipped: ${datapath.why}`);

/** Defines `compile`, which compiles as Cilium's loader does, in a mount namespace with an empty /var/cache/clang. */
const SCRIPT = `
mount -t tmpfs none /var/cache && mkdir -p /var/cache/clang "$folder/opt" && ln -s "$script" "$folder/opt/clang"
export PATH="$folder/opt:$PATH"
compile() { clang "-I$folder/templates/$1" -O2 --target=bpf -g -c "$folder/program.c" -o -; }
`;

describe.skipIf(datapath.why)("an agent's cached compiler", () => {
    let folder: string;
    beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), "clustermesh-"));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    async function shell(steps: string, headers: Record<string, string>): Promise<string[]> {
        const program = '#include "node.h"\nint value(void *context) { return USED; }\n';
        await writeFile(join(folder, "program.c"), program);
        for (const [name, text] of Object.entries(headers)) {
            await mkdir(join(folder, "templates", name), { recursive: true });
            await writeFile(join(folder, "templates", name, "node.h"), text);
        }
        const PATH = [...(datapath.programs?.folders ?? []), process.env.PATH].join(":");
        const args = ["--mount", "--propagation", "private", "/bin/sh", "-c", SCRIPT + steps];
        const { stdout } = await promisify(execFile)("unshare", args, { env: { ...process.env, PATH, folder, script: CACHED_CLANG } });
        return stdout.trim().split("\n");
    }
    const digest = "| sha256sum";
    const count = "ls /var/cache/clang | grep -c '[.]o$'";

    test("compiles sources that differ only in unused macros once, and returns clang's own object", async () => {
        const headers = { a: "#define USED 1\n#define GATEWAY 0x0a\n", b: "#define USED 1\n#define GATEWAY 0x0b\n" };
        const [first, second, uncached, objects] = await shell(
            `compile a ${digest}; compile b ${digest}; PATH=\${PATH#*:}; compile a ${digest}; ${count}`,
            headers,
        );
        expect(second).toBe(first);
        expect(uncached).toBe(first);
        expect(objects).toBe("1");
    });

    test("compiles different sources separately, also concurrently", async () => {
        const headers = { a: "#define USED 1\n", b: "#define USED 2\n" };
        const [objects] = await shell(`{ compile a & compile a & compile b; wait; } >/dev/null; ${count}`, headers);
        expect(objects).toBe("2");
    });

    test("fails as clang does without caching the failure, and does not cache preprocessor output", async () => {
        const [code, left, preprocessed] = await shell(
            `compile a >/dev/null 2>&1; echo $?; ls /var/cache/clang | grep -vc lock; clang "-I$folder/templates/b" -E -c "$folder/program.c" -o - | tail -1`,
            { a: "#define USED ;;;(\n", b: "#define USED 7\n" },
        );
        expect(code).toBe("1");
        expect(left).toBe("0");
        expect(preprocessed).toBe("int value(void *context) { return 7; }");
    });
});
