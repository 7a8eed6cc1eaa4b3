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
    /** Starts an engine that has a plugin in a process group of its own, as the real one has. */
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
    const gone = (pid: number) => until(async () => !existsSync(`/proc/${pid}`) || undefined, 20_000, `process ${pid} still runs`);

    test("is the process that was started, in a session of its own", async () => {
        const { engine, pid, plugin, session, pluginsSession, args, ended } = await start("at once");
        expect([pid, session, pluginsSession]).toEqual([engine.pid, engine.pid, engine.pid]);
        expect(args).toEqual(["up", "a", "b"]);
        expect(await ended).toEqual([0, null]);
        await gone(plugin);
    });

    test("ends with its plugins when the driver has gone away", async () => {
        const { engine, pid, plugin, ended } = await start("later");
        engine.stdin.destroy();
        expect(await ended).toEqual([null, "SIGKILL"]);
        await gone(pid);
        await gone(plugin);
    });
});

test("an event that the SDK cannot read is not printed: it may have keys in it", async () => {
    await import("../../../cli/engine/engine.ts");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const file = join(folder, "eventlog.txt");
    writeFileSync(file, '{"sequence":1}\n"-----BEGIN EC PRIVATE KEY-----"}}\n{"sequence":2}\n');
    const seen: unknown[] = [];
    const read = automation.Stack.prototype as unknown as {
        readLines(path: string, listener: (event: unknown) => void): Promise<{ tail: { quit(): Promise<void> } }>;
    };
    const { tail } = await read.readLines(file, (event) => seen.push(event));
    await until(async () => seen.length === 2 || undefined, 10_000, "the events were not read");
    await tail.quit();
    expect(warn).not.toHaveBeenCalled();
    log.warn("another warning");
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
});
