import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { coerce, satisfies } from "semver";
import { ON_PATH, type Requirement, type ToolName } from "./catalog.ts";

const run = promisify(execFile);
const TIMEOUT_MILLISECONDS = 20_000;

/**
 * Finds a usable version of a program.
 *
 * @param path folders to search, separated as in PATH
 * @returns its file, or undefined
 */
export async function usableOnPath(name: ToolName, path: string): Promise<string | undefined> {
    if (name === "pulumi-language-nodejs") {
        const pulumi = await usableOnPath("pulumi", path);
        return pulumi && executable(join(dirname(pulumi), name));
    }
    return name in ON_PATH ? programOnPath(name, ON_PATH[name as keyof typeof ON_PATH], path) : undefined;
}

/** Finds the first program of this name whose version is in the range. */
export async function programOnPath(name: string, { args, range }: Requirement, path: string): Promise<string | undefined> {
    for (const folder of path.split(delimiter)) {
        const file = folder && executable(join(folder, name));
        if (file && satisfies((await printedVersion(file, args)) ?? "", range)) return file;
    }
    return undefined;
}

/** Returns the file if it is executable. */
export function executable(file: string): string | undefined {
    try {
        accessSync(file, constants.X_OK);
        return file;
    } catch {
        return undefined;
    }
}

async function printedVersion(file: string, args: readonly string[]): Promise<string | undefined> {
    // Pulumi would look for a newer version on the network.
    const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
    const { stdout } = await run(file, [...args], { timeout: TIMEOUT_MILLISECONDS, env }).catch(() => ({ stdout: "" }));
    return coerce(stdout)?.version;
}
