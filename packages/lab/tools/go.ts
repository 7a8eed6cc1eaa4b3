import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { coerce, gte } from "semver";
import { startProcess } from "../process/processes.ts";
import type { ToolModule } from "./catalog.ts";

const MINIMUM = "1.26.0";
const run = promisify(execFile);

/** Folder of a Go module, beside this file. */
export const moduleFolder = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * Go's settings, whatever the caller's are: go.sum decides what is downloaded, no toolchain is fetched, and no workspace of the caller's
 * changes the versions.
 */
const ENVIRONMENT = { GOTOOLCHAIN: "local", GOWORK: "off", GOFLAGS: "-mod=readonly -buildvcs=false", GO111MODULE: "on", CGO_ENABLED: "0" };

/** A short name for a build of the module, made from all that the build depends on: pinned versions, sources, options, platform. */
export function buildKey(module: ToolModule): string {
    const folder = moduleFolder(module.name);
    const hash = createHash("sha256");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const sources = files.filter((file) => /(^|\/)go\.(mod|sum)$|\.go$/.test(file));
    for (const file of sources.sort()) hash.update(`${file}\0${readFileSync(join(folder, file), "utf8")}\0`);
    hash.update(JSON.stringify([goBuild(module, ""), process.platform, process.arch]));
    return `${module.name}-${hash.digest("hex").slice(0, 12)}`;
}

/** Arguments of `go` that build the module's programs into the folder, without debug information, which would triple their size. */
export function goBuild({ build, variables, tags = [] }: ToolModule, into: string): string[] {
    const values = Object.entries(variables).map(([name, value]) =>
        value.includes(" ") ? `'-X=${name}=${value}'` : `-X=${name}=${value}`,
    );
    const tagged = tags.length > 0 ? [`-tags=${tags.join(",")}`] : [];
    return ["build", "-trimpath", ...tagged, "-ldflags", ["-s", "-w", ...values].join(" "), "-o", `${into}/`, build];
}

/**
 * Runs Go until it ends. It also ends when this process does.
 *
 * @param log file to which its output is appended
 * @param env added to this process's environment
 * @throws Error with the last lines of the log
 */
export async function go(args: readonly string[], folder: string, log: string, env: Record<string, string> = {}): Promise<void> {
    const build = startProcess({ name: "go", file: "go", args, log, env: { ...env, ...ENVIRONMENT }, folder });
    const how = await build.ended;
    if (how !== "ended with code 0") throw new Error(`go ${args[0]} ${how}; ${log} ends with:\n${build.lastWords()}`);
}

/** Downloads a module that go.mod names and checks it against go.sum. @returns its folder in Go's module cache */
export async function downloadModule(name: string, folder: string): Promise<string> {
    const { stdout } = await run("go", ["mod", "download", "-json", name], { cwd: folder, env: { ...process.env, ...ENVIRONMENT } });
    return JSON.parse(stdout).Dir;
}

/**
 * Checks that a usable Go is on the PATH.
 *
 * @param purpose what Go is needed for, for the message
 * @throws Error that says what to install
 */
export async function requireGo(purpose: string): Promise<void> {
    const found = await run("go", ["env", "GOVERSION"], { env: { ...process.env, ...ENVIRONMENT } }).then(
        ({ stdout }) => stdout.trim().replace(/^go/, ""),
        () => undefined,
    );
    const version = coerce(found);
    if (version && gte(version, MINIMUM)) return;
    const have = found ? `Go ${found} on the PATH is too old` : "Go is not on the PATH";
    throw new Error(`${have}: install Go ${MINIMUM.replace(/\.0$/, "")} or newer, which builds ${purpose}`);
}
