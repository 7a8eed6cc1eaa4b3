import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { tryDatapath, whyNoDatapath } from "../../tools/datapath.ts";
import { ensureDebian } from "../../tools/debian.ts";
import { fakePrograms } from "./fake-programs.ts";

const run = promisify(execFile);
const aptIsThere = await run("apt-get", ["--version"]).then(
    () => true,
    () => false,
);

const { in: inFolder, program } = fakePrograms();

const GOOD = {
    clang: "clang version 18.1.3",
    iptables: "iptables v1.8.10 (nf_tables)",
    "iptables-save": "",
    "iptables-restore": "",
    ip6tables: "",
    "ip6tables-save": "",
    "ip6tables-restore": "",
    nft: "nftables v1.0.9 (Old Doc Yak #3)",
    crun: "crun version 1.14.1",
    ip: "ip utility, iproute2-6.1.0, libbpf 1.1.2",
    ptp: "",
    "host-local": "",
    loopback: "",
};

describe("Debian's programs", () => {
    test("are taken from the PATH: nothing is fetched", async () => {
        for (const [name, output] of Object.entries(GOOD)) await program("bin", name, output);
        await mkdir(inFolder("old"));
        await writeFile(inFolder("old/clang"), "#!/bin/sh\necho clang version 14.0.6\n", { mode: 0o755 });
        const path = [inFolder("old"), inFolder("bin")].join(delimiter);
        const { file, folders } = await ensureDebian({ path, cache: inFolder("cache") });
        expect(file.clang).toBe(inFolder("bin/clang"));
        expect(file["ip6tables-restore"]).toBe(inFolder("bin/ip6tables-restore"));
        expect(folders).toContain(inFolder("bin"));
        expect(existsSync(inFolder("cache"))).toBe(false);
    });

    test.each([
        ["clang", "clang version 14.0.6", "install clang 18.1 or newer"],
        ["iptables", "iptables v1.6.1", "install iptables 1.8 or newer"],
        ["ip", "BusyBox v1.35.0 multi-call binary", "install iproute2"],
        ["ip6tables-save", undefined, "install iptables 1.8 or newer"],
    ])("without apt-get, and with %s printing %j: the error says what to install", async (name, output, sentence) => {
        for (const [other, good] of Object.entries(GOOD)) if (other !== name) await program("bin", other, good);
        if (output) await program("bin", name, output);
        vi.stubEnv("PATH", inFolder("none"));
        const fetched = ensureDebian({ path: inFolder("bin"), cache: inFolder("cache") });
        await expect(fetched).rejects.toThrow(`and apt-get, which could fetch them, is missing: ${sentence}`);
        expect(existsSync(inFolder("cache"))).toBe(false);
    });

    test.skipIf(!aptIsThere)("are fetched once, then run from the cache", { timeout: 600_000 }, async () => {
        const lines: string[] = [];
        const ask = () => ensureDebian({ path: "", log: (line) => lines.push(line) });
        const { file } = await ask();
        const printed = await Promise.all([file.clang, file.iptables, file.nft, file.crun].map((program) => run(program, ["--version"])));
        expect(printed.map(({ stdout }) => stdout)).toEqual([
            expect.stringMatching(/clang version (19|2\d)/),
            expect.stringMatching(/^iptables v1/),
            expect.stringMatching(/^nftables v1/),
            expect.stringMatching(/^crun version 1/),
        ]);
        lines.length = 0;
        expect((await ask()).file).toEqual(file);
        expect(lines).toEqual([]);
    });
});

describe("the reason why the datapath cannot run", () => {
    test("is namespaces that the user may not create", async () => {
        await program("bin", "unshare", "");
        await writeFile(inFolder("bin/unshare"), "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n");
        for (const name of ["nsenter", "mount", "sysctl"]) await program("bin", name, "");
        vi.stubEnv("PATH", inFolder("bin"));
        const sentence =
            "this user may not create network namespaces, which requires root: unshare: unshare failed: Operation not permitted";
        expect(await whyNoDatapath({ cache: inFolder() })).toBe(sentence);
    });

    test("is a missing program of the machine", async () => {
        vi.stubEnv("PATH", inFolder("none"));
        expect(await whyNoDatapath({ cache: inFolder() })).toContain("unshare is not on the PATH");
    });

    test("is a compiler that cannot build BPF", async ({ skip }) => {
        const { programs, why } = await tryDatapath();
        skip(why !== undefined, why);
        const path = inFolder("bin");
        for (const [name, good] of Object.entries(GOOD)) await program("bin", name, good);
        for (const [name, file] of Object.entries(programs?.file ?? {}).filter(([name]) => name !== "clang")) {
            await rm(join(path, name));
            await symlink(file, join(path, name));
        }
        const tried = await whyNoDatapath({ path, cache: inFolder("cache") });
        expect(tried).toMatch(/^this machine does not let the lab load a BPF program/);
    });
});
