import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../tools/cache.ts";
import { ciliumSources } from "../tools/cilium.ts";
import type { DebianPrograms } from "../tools/debian.ts";
import { ensureTools, type ToolOptions } from "../tools/tools.ts";
import type { ContainerProgram, ContainerPrograms } from "./containers/images.ts";

/** The programs with which the lab's nodes run their containers. */
export interface NodePrograms {
    /** Path of crun. */
    crun: string;
    programs: ContainerPrograms;
    /** Folder of the built programs, in which they find each other. */
    cache: string;
    /** Folders of programs that come first in PATH. */
    path: readonly string[];
}

const CACHED_CLANG = fileURLToPath(new URL("cached-clang", import.meta.url));

/** Go programs that containers may need, in build order. */
const GO_PROGRAMS = [
    "agnhost",
    "kube-proxy",
    "etcd",
    "cilium-agent",
    "cilium-dbg",
    "cilium-health",
    "cilium-cni",
    "simulated-operator",
    "clustermesh-apiserver",
] as const;

/**
 * The programs that nodes need. Builds the missing ones.
 *
 * @param names the Go programs to include, for clusters that run fewer images
 * @throws Error that says what to install
 */
export async function nodePrograms(
    debian: DebianPrograms,
    options: ToolOptions = {},
    names: readonly (typeof GO_PROGRAMS)[number][] = GO_PROGRAMS,
): Promise<NodePrograms> {
    const programs: Partial<Record<ContainerProgram, string>> = await ensureTools(names, options);
    const cache = options.cache ?? cacheFolder();
    if (names.includes("cilium-agent")) {
        programs["cilium-sources"] = await ciliumSources(options);
        programs["cached-clang"] = CACHED_CLANG;
        programs["clang-objects"] = join(cache, "clang-objects");
        await mkdir(programs["clang-objects"], { recursive: true });
    }
    const { crun, ptp, "host-local": hostLocal } = debian.file;
    return { crun, programs: { ...programs, ptp, "host-local": hostLocal }, cache, path: debian.folders };
}
