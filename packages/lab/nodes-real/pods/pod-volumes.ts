import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import type { CoreV1Api, V1HostPathVolumeSource, V1Pod } from "@kubernetes/client-node";
import type { ClusterObjects } from "./objects.ts";
import { writeVolume } from "./volume-folder.ts";
import { objectsOf, type TokenRequest, tokensOf, volumeFiles } from "./volumes.ts";

/** The kubelet asks for a new token after this part of the old one's life. */
const TOKEN_REFRESH = 0.8;
const RETRY_MILLISECONDS = 1000;

export interface VolumesOptions {
    pod: V1Pod;
    /** The pod's folder on this machine, and so in the node's view. */
    folder: string;
    nodeFolder: string;
    nodeAddress: string;
    core: CoreV1Api;
    objects: ClusterObjects;
}

/** The volumes of a pod. */
export interface PodVolumes {
    /** Where each lies in the node's view, by name. */
    folders: Readonly<Record<string, string>>;
    /** No longer follows what they are made of. */
    stop(): void;
}

/**
 * Makes a pod's volumes, and keeps those that are made of API objects as these are: at once, where a real kubelet takes up to a minute.
 *
 * @throws Error that says what is missing
 */
export async function keepVolumes({ pod, folder, nodeFolder, nodeAddress, core, objects }: VolumesOptions): Promise<PodVolumes> {
    const { namespace = "", name = "", uid } = pod.metadata ?? {};
    const group = pod.spec?.securityContext?.fsGroup;
    const volumes = pod.spec?.volumes ?? [];
    const tokens = new Map<string, string>();
    const sources = { ...objects, nodeAddress, podAddress: "", token: (request: TokenRequest) => tokens.get(JSON.stringify(request)) };
    const folderOf = (volume: string) => join(folder, "volumes", volume);
    const timers = new Set<NodeJS.Timeout>();
    let stopped = false;

    const fetchToken = async (request: TokenRequest) => {
        const { status } = await core.createNamespacedServiceAccountToken({
            namespace,
            name: pod.spec?.serviceAccountName ?? "default",
            body: {
                spec: {
                    audiences: request.audience ? [request.audience] : [],
                    expirationSeconds: request.expirationSeconds,
                    boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
                },
            },
        });
        tokens.set(JSON.stringify(request), status?.token ?? "");
        later((new Date(status?.expirationTimestamp ?? 0).getTime() - Date.now()) * TOKEN_REFRESH, request);
    };
    const later = (milliseconds: number, request: TokenRequest) => {
        if (stopped) return;
        const timer = setTimeout(() => {
            timers.delete(timer);
            fetchToken(request).then(follow, () => later(RETRY_MILLISECONDS, request));
        }, milliseconds);
        timers.add(timer.unref());
    };
    const write = () => {
        for (const volume of volumes) {
            const files = volumeFiles(volume, pod, sources);
            if (files) writeVolume(folderOf(volume.name), files, group);
        }
    };
    const follow = () => {
        try {
            if (!stopped) write();
        } catch {
            // What has been taken away stays in the files, as with the kubelet.
        }
    };

    await Promise.all(tokensOf(pod).map(fetchToken));
    write();
    const used = objectsOf(pod);
    const unfollow = objects.onChange((where, what) => {
        if (where === namespace && used.has(what)) follow();
    });
    const places = volumes.map((volume) => {
        if (volume.hostPath) return [volume.name, hostPath(nodeFolder, volume.hostPath)] as const;
        if (volume.emptyDir) emptyFolder(folderOf(volume.name), group);
        if (!existsSync(folderOf(volume.name))) {
            const kind = Object.keys(volume).find((key) => key !== "name");
            throw new Error(`volume ${volume.name} is a ${kind}, which the lab's kubelet does not know`);
        }
        return [volume.name, folderOf(volume.name)] as const;
    });
    return {
        folders: Object.fromEntries(places),
        stop() {
            stopped = true;
            unfollow();
            for (const timer of timers) clearTimeout(timer);
        },
    };
}

function emptyFolder(folder: string, group: number | undefined): void {
    mkdirSync(folder, { recursive: true });
    if (group !== undefined) chownSync(folder, 0, group);
    // With the group's bit what is made in it belongs to the group.
    chmodSync(folder, group === undefined ? 0o777 : 0o2777);
}

/** What the kernel shows of the node: these are the node's own already, or may be read only. */
const SHOWN = /^\/(proc|sys)(\/|$)/;
const MODULES = "/lib/modules";

/** Where a hostPath lies in the node's view: never the machine's own /etc, /opt, /run or /var, but the node's. Makes what is not there. */
export function hostPath(nodeFolder: string, { path, type = "" }: V1HostPathVolumeSource): string {
    const { view, made } = placeOf(nodeFolder, path);
    if (!made || existsSync(made)) return view;
    if (type === "FileOrCreate") {
        mkdirSync(dirname(made), { recursive: true });
        closeSync(openSync(made, "a"));
    } else if (type === "" || type === "DirectoryOrCreate" || type === "Directory") {
        mkdirSync(made, { recursive: true });
    } else {
        throw new Error(`hostPath ${path} is no ${type} on the lab's node`);
    }
    return view;
}

/** @returns the path in the node's view, and where on this machine it is made; the holder has mounted the folder's host/run as the node's /run */
export function placeOf(nodeFolder: string, path: string): { view: string; made?: string } {
    const plain = posix.normalize(path).replace(/^\/var\/run(\/|$)/, "/run$1");
    // A machine whose kernel has no modules has no such folder.
    if (SHOWN.test(plain) || (plain === MODULES && existsSync(MODULES))) return { view: plain };
    const made = join(nodeFolder, "host", plain);
    return { view: plain === "/run" || plain.startsWith("/run/") ? plain : made, made };
}
