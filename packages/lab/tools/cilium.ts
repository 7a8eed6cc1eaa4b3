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
 * The folder with those sources of the pinned Cilium, under their paths in its repository, that its images or the lab take as they are: the chart, the
 * scripts and files of its images, and `bpf`, the datapath that the agent compiles. So the folder will do as the agent's `--lib-dir`.
 */
export async function ciliumSources({ log = () => {}, cache = cacheFolder() }: Omit<ToolOptions, "path"> = {}): Promise<string> {
    const version = new RegExp(`${MODULE} (v\\S+)`).exec(readFileSync(join(moduleFolder("cilium"), "go.mod"), "utf8"))?.[1];
    const wait = () => log("Cilium's sources are being fetched, waiting for that");
    const key = createHash("sha256").update(KEPT.join("\0")).digest("hex").slice(0, 12);
    return onceFolder(join(cache, "cilium", `${version}-${key}`), wait, async (unfinished) => {
        await requireGo("the lab's programs and fetches the Cilium chart");
        log("fetching Cilium's sources, the chart among them (its Go module, about 150 MB)");
        const source = await downloadModule(MODULE, moduleFolder("cilium"));
        for (const path of KEPT) await cp(join(source, path), join(unfinished, path), { recursive: true });
        await makeWritable(unfinished);
    });
}

/** The folder of the Cilium chart that belongs to the pinned Cilium. */
export async function ciliumChart(options: Omit<ToolOptions, "path"> = {}): Promise<string> {
    return join(await ciliumSources(options), CHART);
}

/** Go's module cache is read-only, and a read-only folder can be neither renamed nor removed. */
async function makeWritable(folder: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
        await chmod(join(entry.parentPath, entry.name), entry.isDirectory() || entry.name.endsWith(".sh") ? 0o755 : 0o644);
    }
}
