import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import xterm from "@xterm/headless";
import { until } from "../../packages/lab/process/until.ts";

/** A program on a pseudo-terminal, and what a person would see on it. */
export interface TerminalRun {
    /** The screen's lines, and what has scrolled out of it before. */
    lines(): Promise<string[]>;
    /** Types. */
    type(text: string): void;
    resize(columns: number, rows: number): Promise<void>;
    /** The exit code. */
    ended: Promise<number>;
}

/**
 * Runs a command on a pseudo-terminal of its own (`script`, of util-linux), whose screen is a real terminal emulator's.
 *
 * @param folder where the command runs, and where the terminal's name is written
 */
export async function onTerminal(
    command: string,
    folder: string,
    env: Record<string, string>,
    columns: number,
    rows: number,
): Promise<TerminalRun> {
    const nameFile = join(folder, "tty");
    const screen = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true, convertEol: false });
    const child = spawn("script", ["-qefc", `stty cols ${columns} rows ${rows}; tty > tty; exec ${command}`, "/dev/null"], {
        cwd: folder,
        env: { ...process.env, ...env, TERM: "xterm-256color" },
        stdio: ["pipe", "pipe", "inherit"],
    });
    let written = Promise.resolve();
    child.stdout.on("data", (data: Buffer) => {
        written = new Promise((resolve) => screen.write(data, resolve));
    });
    const ended = once(child, "close").then(([code]) => code as number);
    await until(
        async () => (existsSync(nameFile) && readFileSync(nameFile, "utf8").trim()) || undefined,
        20_000,
        "the terminal has no name",
    );
    return {
        async lines() {
            await written;
            const { buffer } = screen;
            return Array.from({ length: buffer.active.length }, (_, i) => buffer.active.getLine(i)?.translateToString(true) ?? "");
        },
        type: (text) => child.stdin.write(text),
        async resize(newColumns, newRows) {
            // The program first: what it draws for a wider screen than there is leaves lines that nobody wipes out.
            execFileSync("stty", ["-F", readFileSync(nameFile, "utf8").trim(), "cols", `${newColumns}`, "rows", `${newRows}`]);
            await written;
            screen.resize(newColumns, newRows);
        },
        ended,
    };
}
