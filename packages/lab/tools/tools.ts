import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { alone, cacheFolder, makeFolder } from "./cache.ts";
import { MODULES, type ToolModule, type ToolName } from "./catalog.ts";
import { buildKey, go, goBuild, moduleFolder, requireGo } from "./go.ts";
import { usableOnPath } from "./on-path.ts";

/** The linker of kube-apiserver takes 2 GiB, and Go runs one for each core. */
const BYTES_PER_BUILD = 4 * 2 ** 30;
const REPORT_MILLISECONDS = 30_000;

export interface ToolOptions {
    /** Takes lines of progress. @default nobody */
    log?: (line: string) => void;
    /** Where to look for programs before building them. @default the environment's PATH */
    path?: string;
    /** @default `cacheFolder()` */
    cache?: string;
}

/**
 * Paths of the programs: usable ones on the PATH, and builds of the pinned versions for the others, made once.
 *
 * @throws Error that says what to install when something must be built and there is no Go
 */
export async function ensureTools<Name extends ToolName>(
    names: readonly Name[],
    { log = () => {}, path = process.env.PATH ?? "", cache = cacheFolder() }: ToolOptions = {},
): Promise<Record<Name, string>> {
    const found = await Promise.all(names.map(async (name) => [name, await usableOnPath(name, path)] as const));
    const missing = found.flatMap(([name, file]) => (file ? [] : [name]));
    const modules = MODULES.filter(({ tools }) => missing.some((name) => tools.includes(name)));
    if (modules.some((module) => !isBuilt(module, cache))) await buildAll(modules, cache, log);
    return Object.fromEntries(found.map(([name, file]) => [name, file ?? builtTool(name, cache)])) as Record<Name, string>;
}

async function buildAll(modules: readonly ToolModule[], cache: string, log: (line: string) => void): Promise<void> {
    await requireGo(`what the lab runs (${modules.flatMap(({ tools }) => tools).join(", ")})`);
    const tools = join(cache, "tools");
    const wait = () => log("another build is under way, waiting for it");
    await alone(tools, wait, async () => {
        // Another builder may have been at work until the lock was free.
        const waiting = modules.filter((module) => !isBuilt(module, cache));
        if (waiting.length === 0) return;
        const cores = availableParallelism();
        const minutes = Math.ceil(waiting.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / cores / 60);
        log(
            `building ${waiting.map(({ name }) => name).join(", ")} from source, once: up to ${minutes} min on ${cores} cores, and the downloads`,
        );

        const began = new Map<string, number>();
        const report = setInterval(() => {
            log(`still building ${[...began].map(([name, start]) => `${name} (${secondsSince(start)} s)`).join(", ")}`);
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
                log(`built ${module.tools.join(", ")} in ${secondsSince(start)} s`);
            }
        }
    });
}

async function build(module: ToolModule, tools: string): Promise<void> {
    await makeFolder(join(tools, buildKey(module)), async (unfinished) => {
        await go(goBuild(module, unfinished), moduleFolder(module.name), join(tools, `${module.name}.log`));
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
