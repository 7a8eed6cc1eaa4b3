import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { catchInterrupts } from "../../../cli/ui/interrupts.ts";

describe.skipIf(process.platform !== "linux")("an interrupt", () => {
    let folder: string;
    const before = process.listeners("SIGINT").concat(process.listeners("SIGTERM"));

    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "clustermesh-"));
    });
    afterEach(() => {
        vi.restoreAllMocks();
        for (const signal of ["SIGINT", "SIGTERM"] as const)
            for (const listener of process.listeners(signal)) if (!before.includes(listener)) process.off(signal, listener);
        rmSync(folder, { recursive: true });
    });

    test("aborts the run once, even if it is also forwarded; a later interrupt is passed to the engines", async () => {
        const file = join(folder, "pulumi");
        writeFileSync(file, "#!/bin/sh\ntrap 'exit 7' INT\necho ready\nwhile :; do sleep 0.05; done\n", { mode: 0o755 });
        const engine = spawn(file, { stdio: ["ignore", "pipe", "inherit"] });
        const ended = once(engine, "exit");
        await once(engine.stdout, "data");

        let now = 1_000_000;
        vi.spyOn(performance, "now").mockImplementation(() => now);
        const logged: string[] = [];
        const signal = catchInterrupts((line) => logged.push(line));
        expect(signal.aborted).toBe(false);
        process.emit("SIGTERM", "SIGTERM");
        expect(signal.reason).toEqual(new Error("interrupted by SIGTERM"));
        now += 50;
        process.emit("SIGTERM", "SIGTERM");
        expect(logged).toHaveLength(1);
        expect(engine.exitCode).toBeNull();
        now += 1_000;
        process.emit("SIGINT", "SIGINT");
        expect(logged).toHaveLength(2);
        expect(await ended).toEqual([7, null]);
    });
});
