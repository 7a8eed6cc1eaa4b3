import { chmodSync, chownSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CoreV1Api, V1Pod, V1Volume } from "@kubernetes/client-node";
import { hostPath } from "./host-path.ts";
import { objectsOf, type TokenRequest, tokensOf, volumeFiles } from "./volume-files.ts";
import { writeVolume } from "./volume-folder.ts";
import type { ClusterObjects } from "./watched-objects.ts";

/** Part of a token's lifetime after which the kubelet requests a new one. */
const TOKEN_REFRESH = 0.8;
const RETRY_MILLISECONDS = 1000;

interface VolumesOptions {
    pod: V1Pod;
    /** The pod's folder, at the same path on this machine and in the node's view. */
    folder: string;
    nodeFolder: string;
    nodeAddress: string;
    core: CoreV1Api;
    objects: ClusterObjects;
}

/**
 * The volumes of a pod.
 *
 * Files of Secrets, ConfigMaps and tokens follow their sources at once, where a real kubelet takes up to a minute.
 */
export class PodVolumes {
    /** Folder of each volume in the node's view, by name. */
    readonly folders: Readonly<Record<string, string>>;
    readonly #options: VolumesOptions;
    readonly #tokens: Map<string, string>;
    readonly #timers = new Set<NodeJS.Timeout>();
    readonly #unsubscribe: () => void;
    #stopped = false;

    /** @throws Error that says what is missing */
    static async mount(options: VolumesOptions): Promise<PodVolumes> {
        const tokens = new Map<string, string>();
        const expirations = await Promise.all(
            tokensOf(options.pod).map(async (request) => [request, await fetchToken(options, request, tokens)] as const),
        );
        return new PodVolumes(options, tokens, expirations);
    }

    private constructor(options: VolumesOptions, tokens: Map<string, string>, expirations: readonly (readonly [TokenRequest, Date])[]) {
        this.#options = options;
        this.#tokens = tokens;
        this.#write();
        const { pod, objects } = options;
        this.folders = Object.fromEntries((pod.spec?.volumes ?? []).map((volume) => [volume.name, this.#makeFolder(volume)]));
        const used = objectsOf(pod);
        this.#unsubscribe = objects.onChange((namespace, object) => {
            if (namespace === (pod.metadata?.namespace ?? "") && used.has(object)) this.#update();
        });
        for (const [request, expiration] of expirations) this.#refreshBefore(expiration, request);
    }

    /** Ends the updates. */
    stop(): void {
        this.#stopped = true;
        this.#unsubscribe();
        for (const timer of this.#timers) clearTimeout(timer);
    }

    #folderOf(volume: V1Volume): string {
        return join(this.#options.folder, "volumes", volume.name);
    }

    #write(): void {
        const { pod, objects, nodeAddress } = this.#options;
        const token = (request: TokenRequest) => this.#tokens.get(tokenKey(request));
        const sources = { ...objects, nodeAddress, podAddress: "", token };
        for (const volume of pod.spec?.volumes ?? []) {
            const files = volumeFiles(volume, pod, sources);
            if (files) writeVolume(this.#folderOf(volume), files, groupOf(pod));
        }
    }

    #update(): void {
        try {
            if (!this.#stopped) this.#write();
        } catch {
            // As with the kubelet, the files of a source that has been deleted stay.
        }
    }

    /** @returns the folder of a volume in the node's view */
    #makeFolder(volume: V1Volume): string {
        const { pod, nodeFolder } = this.#options;
        if (volume.hostPath) return hostPath(nodeFolder, volume.hostPath);
        const folder = this.#folderOf(volume);
        if (volume.emptyDir) makeEmptyDir(folder, groupOf(pod));
        if (!existsSync(folder)) {
            const type = Object.keys(volume).find((key) => key !== "name");
            throw new Error(`volume ${volume.name}: type ${type} not supported by the lab's kubelet`);
        }
        return folder;
    }

    #refreshBefore(expiration: Date, request: TokenRequest): void {
        this.#refreshAfter((expiration.getTime() - Date.now()) * TOKEN_REFRESH, request);
    }

    #refreshAfter(milliseconds: number, request: TokenRequest): void {
        if (this.#stopped) return;
        const timer = setTimeout(() => {
            this.#timers.delete(timer);
            this.#refresh(request).catch(() => this.#refreshAfter(RETRY_MILLISECONDS, request));
        }, milliseconds);
        this.#timers.add(timer.unref());
    }

    async #refresh(request: TokenRequest): Promise<void> {
        const expiration = await fetchToken(this.#options, request, this.#tokens);
        this.#refreshBefore(expiration, request);
        this.#update();
    }
}

/**
 * Requests a token for the pod's service account and stores it.
 *
 * @returns when it expires
 */
async function fetchToken({ core, pod }: VolumesOptions, request: TokenRequest, tokens: Map<string, string>): Promise<Date> {
    const { namespace = "", name = "", uid } = pod.metadata ?? {};
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
    tokens.set(tokenKey(request), status?.token ?? "");
    return new Date(status?.expirationTimestamp ?? 0);
}

function tokenKey(request: TokenRequest): string {
    return JSON.stringify(request);
}

function groupOf(pod: V1Pod): number | undefined {
    return pod.spec?.securityContext?.fsGroup;
}

function makeEmptyDir(folder: string, group: number | undefined): void {
    mkdirSync(folder, { recursive: true });
    if (group !== undefined) chownSync(folder, 0, group);
    // With the setgid bit, files created in the folder belong to the group.
    chmodSync(folder, group === undefined ? 0o777 : 0o2777);
}
