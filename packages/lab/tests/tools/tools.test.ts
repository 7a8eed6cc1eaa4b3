import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { cacheFolder } from "../../tools/cache.ts";
import { MODULES } from "../../tools/catalog.ts";
import { ciliumChart, ciliumSources } from "../../tools/cilium.ts";
import { moduleFolder } from "../../tools/go.ts";
import { withLock } from "../../tools/lock.ts";
import { usableOnPath } from "../../tools/on-path.ts";
import { ensureTools } from "../../tools/tools.ts";
import { BUILD_TIMEOUT, whyNoGo } from "../harness.ts";
import { fakePrograms } from "./fake-programs.ts";

const run = promisify(execFile);

const { in: inFolder, program } = fakePrograms();

describe("a program on the PATH", () => {
    test.each([
        ["pulumi", "v3.200.0", true],
        ["pulumi", "v3.100.0", false],
        ["helm", "v3.18.4+gd80839c", true],
        ["helm", "v4.0.0+gabcdef", false],
        ["etcd", "etcd Version: 3.6.12\nGit SHA: abc", true],
        ["etcd", "etcd Version: 3.4.1", false],
        ["kube-apiserver", "Kubernetes v1.36.0", true],
        ["kube-apiserver", "Kubernetes v1.35.9", false],
        ["kwok", "kwok version v0.8.0 go1.26 (linux/amd64)", true],
        ["kwok", "no version at all", false],
        ["kubectl", "Client Version: v1.36.1\nKustomize Version: v5.5.0", true],
        ["kube-proxy", "Kubernetes v1.36.3", true],
        ["cilium-agent", "Cilium 1.20.2 v1.20.2 2026-09-15T20:03:11Z go version go1.26.0 linux/amd64", false],
    ] as const)("%s that prints %j is taken: %s", async (name, output, taken) => {
        const file = await program("bin", name, output);
        expect(await usableOnPath(name, dirname(file))).toBe(taken ? file : undefined);
    });

    test("is found behind an unusable one", async () => {
        const old = await program("old", "helm", "v2.17.0");
        const good = await program("good", "helm", "v3.18.0");
        expect(await usableOnPath("helm", `${dirname(old)}:${inFolder("none")}:${dirname(good)}`)).toBe(good);
    });

    test("brings the language host in its own folder, and no other", async () => {
        const pulumi = await program("release", "pulumi", "v3.200.0");
        const elsewhere = await program("elsewhere", "pulumi-language-nodejs", "");
        const path = `${dirname(elsewhere)}:${dirname(pulumi)}`;
        expect(await usableOnPath("pulumi-language-nodejs", path)).toBeUndefined();
        const beside = await program("release", "pulumi-language-nodejs", "");
        expect(await usableOnPath("pulumi-language-nodejs", path)).toBe(beside);
    });

    test("is enough: nothing is built, and Go is not required", async () => {
        const file = await program("bin", "helm", "v3.18.0");
        vi.stubEnv("PATH", "");
        expect(await ensureTools(["helm"], { path: dirname(file), cache: inFolder("cache") })).toEqual({ helm: file });
        expect(existsSync(inFolder("cache"))).toBe(false);
    });
});

describe("without a usable Go", () => {
    test("the error says what to install", async () => {
        vi.stubEnv("PATH", inFolder("none"));
        const message = "Go is not on the PATH: install Go 1.26 or newer, which builds programs of the lab (etcd)";
        await expect(ensureTools(["etcd"], { cache: inFolder() })).rejects.toThrow(message);
        await expect(ciliumChart({ cache: inFolder() })).rejects.toThrow("install Go 1.26 or newer");
    });

    test("the error names the version of an old Go", async () => {
        await program("bin", "go", "go1.21.3");
        vi.stubEnv("PATH", inFolder("bin"));
        await expect(ensureTools(["etcd"], { cache: inFolder() })).rejects.toThrow(
            "Go 1.21.3 on the PATH is too old: install Go 1.26 or newer",
        );
    });
});

test("the cache lies in the user's cache folder, or where CLUSTERMESH_CACHE says", () => {
    expect(cacheFolder({ CLUSTERMESH_CACHE: "/c", XDG_CACHE_HOME: "/x" })).toBe("/c");
    expect(cacheFolder({ XDG_CACHE_HOME: "/x" })).toBe("/x/clustermesh");
    expect(cacheFolder({})).toMatch(/\/\.cache\/clustermesh$/);
});

test.each(MODULES.map(({ name }) => name))("%s pins released modules only, each with a checksum", (name) => {
    const [mod = "", sum] = ["go.mod", "go.sum"].map((file) => readFileSync(join(moduleFolder(name), file), "utf8"));
    expect(mod).not.toMatch(/=>\s*\.|toolchain/);
    for (const [, path, version] of mod.matchAll(/^\s(\S+) (v\S+)(?: \/\/ indirect)?$/gm)) {
        const replaced = new RegExp(`^\\s${path} => \\S+ (\\S+)$`, "m").exec(mod);
        expect(sum).toContain(`${path} ${replaced?.[1] ?? version}/go.mod h1:`);
    }
});

test("a lock serializes work, and a killed holder's lock is taken over", async () => {
    const file = inFolder("lock");
    let inside = 0;
    const work = async () => {
        expect(++inside).toBe(1);
        await new Promise((done) => setTimeout(done, 50));
        inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(file, () => {}, work)));

    const long = new Date(Date.now() - 60_000);
    for (const left of [file, `${file}.killed-while-waiting`]) {
        await writeFile(left, "");
        await utimes(left, long, long);
    }
    expect(
        await withLock(
            file,
            () => {},
            async () => "done",
        ),
    ).toBe("done");
    expect(readdirSync(inFolder())).toEqual([]);
});

describe.skipIf(await whyNoGo())("a build", { timeout: BUILD_TIMEOUT }, () => {
    test("that is killed leaves nothing behind, and the next build succeeds", async () => {
        const builder = spawn(process.execPath, ["packages/lab/tests/tools/builder.ts", inFolder()], {
            stdio: ["ignore", "pipe", "inherit"],
        });
        await once(builder.stdout, "data");
        const ended = once(builder, "exit");
        builder.kill("SIGKILL");
        await ended;
        expect(readdirSync(inFolder("tools")).filter((entry) => entry.startsWith("etcd-"))).toEqual([]);

        const lines: string[] = [];
        const { etcd } = await ensureTools(["etcd"], { path: "", cache: inFolder(), log: (line) => lines.push(line) });
        expect(lines).toContain("another build is running, waiting for it");
        expect((await run(etcd, ["--version"])).stdout).toContain("etcd Version: 3.7.3");
        expect(readdirSync(inFolder("tools")).filter((entry) => entry.startsWith("unfinished") || entry.startsWith("lock"))).toEqual([]);
    });

    test("runs once when two callers need it, and never again", async () => {
        const lines: string[] = [];
        const ask = () => ensureTools(["etcd"], { path: "", cache: inFolder(), log: (line) => lines.push(line) });
        const [first, second] = await Promise.all([ask(), ask()]);
        expect(second).toEqual(first);
        expect(await ask()).toEqual(first);
        expect(lines.filter((line) => line.startsWith("built etcd"))).toHaveLength(1);
    });

    test("includes the chart and the agent's BPF sources of the pinned Cilium", async () => {
        const chart = await ciliumChart();
        expect(parse(readFileSync(join(chart, "Chart.yaml"), "utf8"))).toMatchObject({ name: "cilium", version: "1.20.2" });
        expect(await ciliumChart()).toBe(chart);
        expect(existsSync(join(await ciliumSources(), "bpf/bpf_lxc.c"))).toBe(true);
    });
});
