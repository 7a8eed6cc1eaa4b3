import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pulumiInItsOwnSession, writeShellFile } from "../../lab/shell.ts";
import { until } from "../../lab/until.ts";

let folder: string;
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh it's-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the file to source sets what was given, whatever is in it, and only its owner can read it", () => {
    const file = join(folder, "env");
    writeFileSync(file, "", { mode: 0o644 });
    writeShellFile(file, { SECRET: 'it\'s $HOME; `x` "y" \\' }, [join(folder, "a"), "/b c"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const shown = execFileSync("/bin/sh", ["-c", '. "$0"; printf "%s\\n" "$SECRET" "$PATH"', file], {
        encoding: "utf8",
        env: { PATH: "/bin" },
    });
    expect(shown.split("\n").slice(0, 2)).toEqual(['it\'s $HOME; `x` "y" \\', `${join(folder, "a")}:/b c:/bin`]);
});

describe.skipIf(process.platform !== "linux")("the engine", () => {
    /** Starts an engine that has a plugin in a process group of its own, as the real one has. */
    async function start(ends: "at once" | "later") {
        const program = join(folder, "real pulumi");
        const script = [
            "#!/bin/bash",
            "set -m",
            "sleep 600 >/dev/null &",
            'echo "$$ $! $(cut -d" " -f6 /proc/$$/stat) $(cut -d" " -f6 /proc/$!/stat) $*"',
            ends === "later" ? "wait" : "",
        ];
        writeFileSync(program, script.join("\n"), { mode: 0o755 });
        const wrapped = join(pulumiInItsOwnSession(join(folder, "bin"), program), "pulumi");
        const engine = spawn(wrapped, ["up", "a b"], { stdio: ["pipe", "pipe", "inherit"] });
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
