import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Becomes the engine, the leader of its session, as `sh -c` with the engine and its arguments; a watcher stays behind that reads the driver's pipe and kills the session
 * when the pipe closes, which it does however the driver ends. A language host left alone would ask for its engine every five minutes only, and the engine puts each
 * plugin into a process group of its own.
 */
const GUARD = 'exec 3<&0 </dev/null; { cat <&3; ps -o pid= -s $$ | xargs kill -KILL; } >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * A `pulumi` in a session of its own, in a folder that goes before its own on the PATH. An interrupt on the terminal reaches every process of the terminal's
 * session; with the driver's own the engine would get two, and takes the second for the wish to stop at once.
 */
export function pulumiInItsOwnSession(folder: string, pulumi: string): string {
    mkdirSync(folder, { recursive: true });
    const script = `#!/bin/sh\nexec setsid /bin/sh -c ${quoted(GUARD)} pulumi ${quoted(pulumi)} "$@"\n`;
    writeFileSync(join(folder, "pulumi"), script, { mode: 0o755 });
    return folder;
}

/** Writes a file to source in a shell. Only its owner can read it: it holds the passphrase of the stacks' secrets. */
export function writeShellFile(file: string, env: Record<string, string>, programs: readonly string[]): void {
    const lines = [
        ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
        `export PATH=${programs.map(quoted).join(":")}:"$PATH"`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
    // The mode above is of new files only.
    chmodSync(file, 0o600);
}

function quoted(text: string): string {
    return `'${text.replaceAll("'", "'\\''")}'`;
}
