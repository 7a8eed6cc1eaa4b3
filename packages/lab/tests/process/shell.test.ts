import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeShellFile } from "../../process/shell.ts";

let folder: string;
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh it's-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the shell file sets values with any characters, and only its owner can read it", () => {
    const file = join(folder, "env");
    writeFileSync(file, "", { mode: 0o644 });
    writeShellFile(file, { SECRET: 'it\'s $HOME; `x` "y" \\' }, [join(folder, "a"), "/b c"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const printed = execFileSync("/bin/sh", ["-c", '. "$0"; printf "%s\\n" "$SECRET" "$PATH"', file], {
        encoding: "utf8",
        env: { PATH: "/bin" },
    });
    expect(printed.split("\n").slice(0, 2)).toEqual(['it\'s $HOME; `x` "y" \\', `${join(folder, "a")}:/b c:/bin`]);
});
