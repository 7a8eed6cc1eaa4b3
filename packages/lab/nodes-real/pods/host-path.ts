import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import type { V1HostPathVolumeSource } from "@kubernetes/client-node";

/** File systems of the kernel: they are already the node's own, or are mounted read-only. */
const KERNEL_PATHS = /^\/(proc|sys)(\/|$)/;
const MODULES = "/lib/modules";

/** A hostPath on a lab node. */
interface ResolvedHostPath {
    /** Path in the node's view. */
    nodePath: string;
    /** Where it is created on this machine; undefined for paths that always exist. */
    machinePath?: string;
}

/**
 * Creates a hostPath volume if it does not exist.
 *
 * @returns its path in the node's view: always in the node's own /etc, /opt, /run or /var, never in the machine's
 * @throws Error when the path is not of the volume's type
 */
export function hostPath(nodeFolder: string, { path, type = "" }: V1HostPathVolumeSource): string {
    const { nodePath, machinePath } = resolveHostPath(nodeFolder, path);
    if (!machinePath || existsSync(machinePath)) return nodePath;
    if (type === "FileOrCreate") {
        mkdirSync(dirname(machinePath), { recursive: true });
        closeSync(openSync(machinePath, "a"));
    } else if (type === "" || type === "DirectoryOrCreate" || type === "Directory") {
        mkdirSync(machinePath, { recursive: true });
    } else {
        throw new Error(`hostPath ${path} is not a ${type} on the lab's node`);
    }
    return nodePath;
}

/** Locates a path of a node. The holder has mounted `host/run` of the node's folder as the node's /run. */
export function resolveHostPath(nodeFolder: string, path: string): ResolvedHostPath {
    const normal = posix.normalize(path).replace(/^\/var\/run(\/|$)/, "/run$1");
    // A machine whose kernel has no modules does not have the folder.
    if (KERNEL_PATHS.test(normal) || (normal === MODULES && existsSync(MODULES))) return { nodePath: normal };
    const machinePath = join(nodeFolder, "host", normal);
    return { nodePath: normal === "/run" || normal.startsWith("/run/") ? normal : machinePath, machinePath };
}
