import { chmodSync, writeFileSync } from "node:fs";

/** Writes a file to source in a shell. Only its owner can read it: it contains the passphrase of the stacks' secrets. */
export function writeShellFile(file: string, env: Record<string, string>, programs: readonly string[]): void {
    const lines = [
        ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
        `export PATH=${programs.map(quoted).join(":")}:"$PATH"`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
    // The mode above applies to new files only.
    chmodSync(file, 0o600);
}

function quoted(text: string): string {
    return `'${text.replaceAll("'", "'\\''")}'`;
}
