import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { alone, cacheFolder, makeFolder } from "./cache.ts";
import { MODULES, type ToolModule, type ToolName } from "./catalog.ts";
import { buildKey, go, goBuild, moduleFolder, requireGo } from "./go.ts";
import { usableOnPath } from "./on-path.ts";

/** Linking kube-apiserver takes 2 GiB, and Go runs a linker for each core. */
const BYTES_PER_BUILD = 4 * 2 ** 30;
const REPORT_MILLISECONDS = 30_000;

export interface ToolOptions {
    /** Takes lines of progress. Default: they are dropped. */
    log?: (line: string) => void;
    /** Folders to search for programs before building them. Default: this process's PATH. */
    path?: string;
    /** Default: `cacheFolder()`. */
    cache?: string;
    /** Added to Go's environment. Default: nothing. */
    env?: Record<string, string>;
}

/**
 * Returns the paths of programs: usable ones on the PATH, and builds of the pinned versions for the others. Builds are kept in the cache.
 *
 * @throws Error that says what to install, if a program must be built and Go is missing
 */
export async function ensureTools<Name extends ToolName>(
    names: readonly Name[],
    { log = () => {}, path = process.env.PATH ?? "", cache = cacheFolder(), env = {} }: ToolOptions = {},
): Promise<Record<Name, string>> {
    const found = await Promise.all(names.map(async (name) => [name, await usableOnPath(name, path)] as const));
    const missing = found.flatMap(([name, file]) => (file ? [] : [name]));
    const modules = MODULES.filter(({ tools }) => missing.some((name) => tools.includes(name)));
    if (modules.some((module) => !isBuilt(module, cache))) await buildAll(modules, { cache, log, env });
    return Object.fromEntries(found.map(([name, file]) => [name, file ?? builtTool(name, cache)])) as Record<Name, string>;
}

type BuildOptions = Required<Omit<ToolOptions, "path">>;

async function buildAll(modules: readonly ToolModule[], options: BuildOptions): Promise<void> {
    const { cache, log } = options;
    await requireGo(`programs of the lab (${modules.flatMap(({ tools }) => tools).join(", ")})`);
    const wait = () => log("another build is running, waiting for it");
    await alone(join(cache, "tools"), wait, async () => {
        // Another process may have built them while this one waited for the lock.
        const waiting = modules.filter((module) => !isBuilt(module, cache));
        if (waiting.length > 0) await buildWaiting(waiting, options);
    });
}

async function buildWaiting(waiting: ToolModule[], { cache, log, env }: BuildOptions): Promise<void> {
    const tools = join(cache, "tools");
    const cores = availableParallelism();
    const minutes = Math.ceil(waiting.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / cores / 60);
    log(`building ${waiting.map(({ name }) => name).join(", ")} from source, once: up to ${minutes} min on ${cores} cores, plus downloads`);

    const building = new Map<string, number>();
    const report = setInterval(() => {
        log(`still building ${[...building].map(([name, start]) => `${name} (${secondsSince(start)} s)`).join(", ")}`);
    }, REPORT_MILLISECONDS);
    try {
        // First, because parallel builds would each compile the standard library.
        building.set("the standard library", performance.now());
        await go(["build", "-trimpath", "std"], moduleFolder("etcd"), join(tools, "std.log"), env);
        building.clear();
        const builders = Math.max(1, Math.min(2, cores, Math.floor(totalmem() / BYTES_PER_BUILD)));
        const results = await Promise.allSettled(Array.from({ length: builders }, buildNext));
        const failed = results.find((result) => result.status === "rejected");
        if (failed) throw failed.reason;
    } finally {
        clearInterval(report);
    }

    async function buildNext(): Promise<void> {
        for (let module = waiting.shift(); module; module = waiting.shift()) {
            const start = performance.now();
            building.set(module.name, start);
            await build(module, tools, env).catch((error) => {
                waiting.length = 0;
                throw error;
            });
            building.delete(module.name);
            log(`built ${module.tools.join(", ")} in ${secondsSince(start)} s`);
        }
    }
}

async function build(module: ToolModule, tools: string, env: Record<string, string>): Promise<void> {
    await makeFolder(join(tools, buildKey(module)), async (unfinished) => {
        await go(goBuild(module, unfinished), moduleFolder(module.name), join(tools, `${module.name}.log`), env);
        for (const [name, tool] of Object.entries(module.renamed ?? {})) await rename(join(unfinished, name), join(unfinished, tool));
    });
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
