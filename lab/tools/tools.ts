import { existsSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { availableParallelism, homedir, totalmem } from "node:os";
import { join } from "node:path";
import { MODULES, type ToolModule, type ToolName } from "./catalog.ts";
import { buildKey, downloadModule, go, goBuild, moduleFolder, requireGo } from "./go.ts";
import { withLock } from "./lock.ts";
import { usableOnPath } from "./on-path.ts";

/** The linker of kube-apiserver takes 2 GiB, and Go runs one for each core. */
const BYTES_PER_BUILD = 4 * 2 ** 30;
const REPORT_MILLISECONDS = 30_000;
const UNFINISHED = "unfinished-";

export interface ToolOptions {
    /** Takes lines of progress. @default nobody */
    tell?: (line: string) => void;
    /** Where to look for programs before building them. @default the environment's PATH */
    path?: string;
    /** @default `cacheFolder()` */
    cache?: string;
}

/** Where the lab keeps what it builds: CLUSTERMESH_CACHE, or `clustermesh` in the user's cache folder. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
    return env.CLUSTERMESH_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "clustermesh");
}

/**
 * Paths of the programs: usable ones on the PATH, and builds of the pinned versions for the others, made once.
 *
 * @throws Error that says what to install when something must be built and there is no Go
 */
export async function ensureTools<Name extends ToolName>(
    names: readonly Name[],
    { tell = () => {}, path = process.env.PATH ?? "", cache = cacheFolder() }: ToolOptions = {},
): Promise<Record<Name, string>> {
    const found = await Promise.all(names.map(async (name) => [name, await usableOnPath(name, path)] as const));
    const missing = found.flatMap(([name, file]) => (file ? [] : [name]));
    const modules = MODULES.filter(({ tools }) => missing.some((name) => tools.includes(name)));
    if (modules.some((module) => !isBuilt(module, cache))) await buildAll(modules, cache, tell);
    return Object.fromEntries(found.map(([name, file]) => [name, file ?? builtTool(name, cache)])) as Record<Name, string>;
}

/** The folder of the Cilium chart that belongs to the pinned Cilium, `install/kubernetes/cilium` of its repository. */
export async function ciliumChart({ tell = () => {}, cache = cacheFolder() }: Omit<ToolOptions, "path"> = {}): Promise<string> {
    const key = buildKey({ name: "cilium", tools: [], build: "tool", variables: {}, cpuSeconds: 0 });
    const chart = join(cache, "charts", key);
    if (existsSync(chart)) return chart;
    await requireGo("the lab's programs and fetches the Cilium chart");
    tell("fetching the Cilium chart (its Go module, about 150 MB)");
    const source = await downloadModule("github.com/cilium/cilium", moduleFolder("cilium"));
    await mkdir(join(cache, "charts"), { recursive: true });
    const unfinished = await mkdtemp(join(cache, "charts", UNFINISHED));
    await cp(join(source, "install/kubernetes/cilium"), join(unfinished, "cilium"), { recursive: true });
    await makeWritable(unfinished);
    await finish(join(unfinished, "cilium"), chart);
    await rm(unfinished, { recursive: true, force: true });
    return chart;
}

async function buildAll(modules: readonly ToolModule[], cache: string, tell: (line: string) => void): Promise<void> {
    await requireGo(`what the lab runs (${modules.flatMap(({ tools }) => tools).join(", ")})`);
    const tools = join(cache, "tools");
    await mkdir(tools, { recursive: true });
    const wait = () => tell("another build is under way, waiting for it");
    await withLock(join(tools, "lock"), wait, async () => {
        await removeUnfinished(tools);
        // Another builder may have been at work until the lock was free.
        const waiting = modules.filter((module) => !isBuilt(module, cache));
        if (waiting.length === 0) return;
        const cores = availableParallelism();
        const minutes = Math.ceil(waiting.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / cores / 60);
        tell(
            `building ${waiting.map(({ name }) => name).join(", ")} from source, once: up to ${minutes} min on ${cores} cores, and the downloads`,
        );

        const began = new Map<string, number>();
        const report = setInterval(() => {
            tell(`still building ${[...began].map(([name, start]) => `${name} (${secondsSince(start)} s)`).join(", ")}`);
        }, REPORT_MILLISECONDS);
        try {
            // Builds side by side would each compile the standard library.
            began.set("the standard library", performance.now());
            await go(["build", "-trimpath", "std"], moduleFolder("etcd"), join(tools, "std.log"));
            began.clear();
            const builders = Math.max(1, Math.min(2, cores, Math.floor(totalmem() / BYTES_PER_BUILD)));
            const results = await Promise.allSettled(Array.from({ length: builders }, work));
            const failed = results.find((result) => result.status === "rejected");
            if (failed) throw failed.reason;
        } finally {
            clearInterval(report);
        }

        async function work(): Promise<void> {
            for (let module = waiting.shift(); module; module = waiting.shift()) {
                const start = performance.now();
                began.set(module.name, start);
                await build(module, tools).catch((error) => {
                    waiting.length = 0;
                    throw error;
                });
                began.delete(module.name);
                tell(`built ${module.tools.join(", ")} in ${secondsSince(start)} s`);
            }
        }
    });
}

async function build(module: ToolModule, tools: string): Promise<void> {
    const unfinished = await mkdtemp(join(tools, UNFINISHED));
    await go(goBuild(module, unfinished), moduleFolder(module.name), join(tools, `${module.name}.log`));
    await finish(unfinished, join(tools, buildKey(module)));
}

/** A folder appears under its name only when it is complete; whoever comes second throws his own away. */
async function finish(unfinished: string, finished: string): Promise<void> {
    await rename(unfinished, finished).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
        await rm(unfinished, { recursive: true, force: true });
    });
}

/** Go's module cache is read-only, and a read-only folder can be neither renamed nor removed. */
async function makeWritable(folder: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
        await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
    }
}

/** What a builder that was killed left; the lock is held, so nobody is at work on it. */
async function removeUnfinished(tools: string): Promise<void> {
    const left = (await readdir(tools)).filter((entry) => entry.startsWith(UNFINISHED));
    await Promise.all(left.map((entry) => rm(join(tools, entry), { recursive: true, force: true })));
}

function isBuilt(module: ToolModule, cache: string): boolean {
    return existsSync(join(cache, "tools", buildKey(module)));
}

function builtTool(name: ToolName, cache: string): string {
    const module = MODULES.find(({ tools }) => tools.includes(name));
    if (!module) throw new Error(`no module builds ${name}`);

    return join(cache, "tools", buildKey(module), name);
}

const secondsSince = (start: number) => Math.round((performance.now() - start) / 1000);
