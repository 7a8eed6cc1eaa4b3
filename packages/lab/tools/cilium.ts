import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { chmod, cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, onceFolder } from "./cache.ts";
import { downloadModule, moduleFolder, requireGo } from "./go.ts";
import type { ToolOptions } from "./tools.ts";

const MODULE = "github.com/cilium/cilium";
const CHART = "install/kubernetes/cilium";
const KEPT = [
    CHART,
    "bpf",
    "clustermesh-apiserver/etcd-config.yaml",
    "pkg/k8s/apis/cilium.io/client/crds/v2",
    "images/cilium/init-container.sh",
    "plugins/cilium-cni/install-plugin.sh",
    "plugins/cilium-cni/cni-uninstall.sh",
];

/**
 * Returns a folder with sources of the pinned Cilium, under their paths in its repository: the chart, scripts and files that its images
 * contain unchanged, and `bpf`, the datapath that the agent compiles. The folder works as the agent's `--lib-dir`.
 */
export async function ciliumSources({ log = () => {}, cache = cacheFolder() }: Omit<ToolOptions, "path"> = {}): Promise<string> {
    const version = new RegExp(`${MODULE} (v\\S+)`).exec(readFileSync(join(moduleFolder("cilium"), "go.mod"), "utf8"))?.[1];
    const wait = () => log("another lab is fetching Cilium's sources, waiting for it");
    const key = createHash("sha256").update(KEPT.join("\0")).digest("hex").slice(0, 12);
    return onceFolder(join(cache, "cilium", `${version}-${key}`), wait, async (unfinished) => {
        await requireGo("the lab's programs and downloads the Cilium chart");
        log("fetching Cilium's sources and chart (its Go module, about 150 MB)");
        const source = await downloadModule(MODULE, moduleFolder("cilium"));
        for (const path of KEPT) await cp(join(source, path), join(unfinished, path), { recursive: true });
        await makeWritable(unfinished);
    });
}

/** Returns the folder of the pinned Cilium's chart. */
export async function ciliumChart(options: Omit<ToolOptions, "path"> = {}): Promise<string> {
    return join(await ciliumSources(options), CHART);
}

/** Go's module cache is read-only, and read-only folders can be neither renamed nor removed. */
async function makeWritable(folder: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
        await chmod(join(entry.parentPath, entry.name), entry.isDirectory() || entry.name.endsWith(".sh") ? 0o755 : 0o644);
    }
}
