import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { automation, log } from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { until } from "../../../packages/lab/process/until.ts";

const ENGINE = resolve("cli/engine/bin");

let folder: string;
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh it's-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.skipIf(process.platform !== "linux")("the engine", () => {
    /** Starts an engine whose plugin has its own process group, like the real engine's. */
    async function start(ends: "at once" | "later") {
        const script = [
            "#!/bin/bash",
            "set -m",
            "sleep 600 >/dev/null &",
            'echo "$$ $! $(cut -d" " -f6 /proc/$$/stat) $(cut -d" " -f6 /proc/$!/stat) $*"',
            ends === "later" ? "wait" : "",
        ];
        writeFileSync(join(folder, "pulumi"), script.join("\n"), { mode: 0o755 });
        const env = { PATH: [ENGINE, folder, process.env.PATH].join(delimiter) };
        const engine = spawn(join(ENGINE, "pulumi"), ["up", "a b"], { stdio: ["pipe", "pipe", "inherit"], env });
        const ended = once(engine, "exit");
        const [output] = await once(engine.stdout, "data");
        const [pid, plugin, session, pluginsSession, ...args] = String(output).trim().split(" ");
        return {
            engine,
            ended,
            pid: Number(pid),
            plugin: Number(plugin),
            session: Number(session),
            pluginsSession: Number(pluginsSession),
            args,
        };
    }
    const gone = (pid: number) => until(async () => !existsSync(`/proc/${pid}`) || undefined, 20_000, `process ${pid} is still running`);

    test("is the process that was started, and leads its own session", async () => {
        const { engine, pid, plugin, session, pluginsSession, args, ended } = await start("at once");
        expect([pid, session, pluginsSession]).toEqual([engine.pid, engine.pid, engine.pid]);
        expect(args).toEqual(["up", "a", "b"]);
        expect(await ended).toEqual([0, null]);
        await gone(plugin);
    });

    test("is killed together with its plugins when the driver ends", async () => {
        const { engine, pid, plugin, ended } = await start("later");
        engine.stdin.destroy();
        expect(await ended).toEqual([null, "SIGKILL"]);
        await gone(pid);
        await gone(plugin);
    });
});

test("finds pulumi on the PATH of the environment it is given, and leaves this process's PATH alone", async () => {
    const { engine } = await import("../../../cli/engine/engine.ts");
    writeFileSync(join(folder, "pulumi"), "#!/bin/sh\necho v3.199.7\n", { mode: 0o755 });
    const before = process.env.PATH;
    const found = engine({ PATH: [folder, before].join(delimiter) });
    expect(process.env.PATH).toBe(before);
    expect((await found).version?.version).toBe("3.199.7");
});

test("does not print an event that the SDK cannot parse, since it may contain keys, and then restores the SDK's log", async () => {
    const { withoutEventWarnings } = await import("../../../cli/engine/engine.ts");
    const original = log.warn;
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const file = join(folder, "eventlog.txt");
    writeFileSync(file, '{"sequence":1}\n"-----BEGIN EC PRIVATE KEY-----"}}\n{"sequence":2}\n');
    const read = automation.Stack.prototype as unknown as {
        readLines(path: string, listener: (event: unknown) => void): Promise<{ tail: { quit(): Promise<void> } }>;
    };
    const readEvents = async () => {
        const seen: unknown[] = [];
        const { tail } = await read.readLines(file, (event) => seen.push(event));
        await until(async () => seen.length === 2 || undefined, 10_000, "the events were not read");
        await tail.quit();
    };
    // Two at a time, as of two stacks: the one that ends first must not restore the log.
    const release = Promise.withResolvers<void>();
    const long = withoutEventWarnings(async () => {
        await release.promise;
        await readEvents();
    });
    await withoutEventWarnings(readEvents);
    release.resolve();
    await long;
    expect(warn).not.toHaveBeenCalled();
    await withoutEventWarnings(async () => log.warn("another warning"));
    expect(warn).toHaveBeenCalledOnce();
    await expect(withoutEventWarnings(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(log.warn).toBe(original);
    warn.mockRestore();
});
