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

/** The Go module's folder beside this file. */
export const moduleFolder = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * Go's own settings, whatever the caller's are: go.sum decides what is downloaded, no toolchain is fetched, and no workspace of the caller's changes the
 * versions.
 */
const ENVIRONMENT = { GOTOOLCHAIN: "local", GOWORK: "off", GOFLAGS: "-mod=readonly -buildvcs=false", GO111MODULE: "on", CGO_ENABLED: "0" };

/** What a build of the module depends on, as a short name: what it pins, what it builds, and for which machine. */
export function buildKey(module: ToolModule): string {
    const folder = moduleFolder(module.name);
    const hash = createHash("sha256");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const sources = files.filter((file) => /(^|\/)go\.(mod|sum)$|\.go$/.test(file));
    for (const file of sources.sort()) hash.update(`${file}\0${readFileSync(join(folder, file), "utf8")}\0`);
    hash.update(JSON.stringify([goBuild(module, ""), process.platform, process.arch]));
    return `${module.name}-${hash.digest("hex").slice(0, 12)}`;
}

/** The command line that builds the module's programs into the folder, without the debug information that triples their size. */
export function goBuild({ build, variables, tags = [] }: ToolModule, into: string): string[] {
    const values = Object.entries(variables).map(([name, value]) =>
        value.includes(" ") ? `'-X=${name}=${value}'` : `-X=${name}=${value}`,
    );
    const tagged = tags.length > 0 ? [`-tags=${tags.join(",")}`] : [];
    return ["build", "-trimpath", ...tagged, "-ldflags", ["-s", "-w", ...values].join(" "), "-o", `${into}/`, build];
}

/** Runs Go to its end; it ends with this process too. @param log file that takes its output @throws Error with the last lines of it */
export async function go(args: readonly string[], folder: string, log: string): Promise<void> {
    const build = startProcess({ name: "go", file: "go", args, log, env: ENVIRONMENT, folder });
    const how = await build.ended;
    if (how !== "ended with code 0") throw new Error(`go ${args[0]} ${how}; ${log} ends with:\n${build.lastWords()}`);
}

/** Downloads a module that go.mod names, checked against go.sum. @returns its folder in Go's module cache */
export async function downloadModule(name: string, folder: string): Promise<string> {
    const { stdout } = await run("go", ["mod", "download", "-json", name], { cwd: folder, env: { ...process.env, ...ENVIRONMENT } });
    return JSON.parse(stdout).Dir;
}

/** @throws Error with the sentence that says what to install, when there is no usable Go @param purpose what it is needed for */
export async function requireGo(purpose: string): Promise<void> {
    const found = await run("go", ["env", "GOVERSION"], { env: { ...process.env, ...ENVIRONMENT } }).then(
        ({ stdout }) => stdout.trim().replace(/^go/, ""),
        () => undefined,
    );
    const version = coerce(found);
    if (version && gte(version, MINIMUM)) return;
    const have = found ? `the PATH has Go ${found}` : "there is no Go on the PATH";
    throw new Error(`${have}: install Go ${MINIMUM.replace(/\.0$/, "")} or newer, which builds ${purpose}`);
}
