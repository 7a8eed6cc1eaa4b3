import type { V1KeyToPath, V1Pod, V1Volume } from "@kubernetes/client-node";
import { fieldValue, type Lookup } from "../containers/environment.ts";

/** A file of a volume. */
interface VolumeFile {
    data: Buffer;
    /** Permission bits. */
    mode: number;
    /** Owner. @default root */
    uid?: number;
}

/** Files by their path in the volume. */
export type VolumeFiles = Readonly<Record<string, VolumeFile>>;

/** A token that a volume needs. */
export interface TokenRequest {
    audience?: string;
    expirationSeconds: number;
}

/** The sources of a volume's files. */
interface Sources extends Lookup {
    /** The token for this request, which must have been fetched; undefined if it has not. */
    token(request: TokenRequest): string | undefined;
    nodeAddress: string;
    podAddress: string;
}

const DEFAULT_MODE = 0o644;
const TOKEN_SECONDS = 3600;

/** The tokens that a pod's volumes need. */
export function tokensOf(pod: V1Pod): TokenRequest[] {
    return (pod.spec?.volumes ?? []).flatMap(({ projected }) =>
        (projected?.sources ?? []).flatMap(({ serviceAccountToken }) => (serviceAccountToken ? [tokenRequest(serviceAccountToken)] : [])),
    );
}

/** The Secrets and ConfigMaps that a pod's volumes use, as `secret/<name>` and `configMap/<name>`. */
export function objectsOf(pod: V1Pod): Set<string> {
    const names = (pod.spec?.volumes ?? []).flatMap(({ secret, configMap, projected }) => [
        ...(secret ? [`secret/${secret.secretName}`] : []),
        ...(configMap ? [`configMap/${configMap.name}`] : []),
        ...(projected?.sources ?? []).flatMap((source) => [
            ...(source.secret ? [`secret/${source.secret.name}`] : []),
            ...(source.configMap ? [`configMap/${source.configMap.name}`] : []),
        ]),
    ]);
    return new Set(names);
}

/**
 * The files of a volume whose source is an API object.
 *
 * @returns undefined for every other type of volume
 * @throws Error that names a missing source that is not optional
 */
export function volumeFiles(volume: V1Volume, pod: V1Pod, sources: Sources): VolumeFiles | undefined {
    const namespace = pod.metadata?.namespace ?? "";
    const files = (kind: "secret" | "configMap", ref: Ref, defaultMode = DEFAULT_MODE): VolumeFiles => {
        const data = sources[kind](namespace, ref.name ?? "");
        if (!data && !ref.optional) throw new Error(`${kind} "${ref.name}" not found`);
        return selected(data ?? {}, ref, `${kind} ${ref.name}`, defaultMode);
    };
    const downward = (items: readonly DownwardItem[] = [], defaultMode = DEFAULT_MODE): VolumeFiles =>
        Object.fromEntries(
            items.map(({ path, fieldRef, mode }) => {
                if (!fieldRef) throw new Error(`downward API file ${path}: the lab's kubelet supports only fieldRef`);
                return [path, { data: Buffer.from(fieldValue(fieldRef, pod, sources)), mode: mode ?? defaultMode }];
            }),
        );
    if (volume.secret) {
        const { secretName, items, optional, defaultMode } = volume.secret;
        return files("secret", { name: secretName, items, optional }, defaultMode);
    }
    if (volume.configMap) return files("configMap", volume.configMap, volume.configMap.defaultMode);
    if (volume.downwardAPI) return downward(volume.downwardAPI.items, volume.downwardAPI.defaultMode);
    if (!volume.projected) return undefined;
    const { sources: parts = [], defaultMode } = volume.projected;
    const projected = parts.map(({ secret, configMap, downwardAPI, serviceAccountToken }) => {
        if (secret) return files("secret", secret, defaultMode);
        if (configMap) return files("configMap", configMap, defaultMode);
        if (downwardAPI) return downward(downwardAPI.items, defaultMode);
        if (!serviceAccountToken) throw new Error(`projected volume ${volume.name} has a source that the lab's kubelet does not support`);
        const token = sources.token(tokenRequest(serviceAccountToken));
        if (token === undefined) throw new Error(`volume ${volume.name} has no token yet`);
        return { [serviceAccountToken.path]: tokenFile(token, pod, defaultMode) };
    });
    return Object.assign({}, ...projected);
}

interface Ref {
    name?: string;
    items?: V1KeyToPath[];
    optional?: boolean;
}

type DownwardItem = NonNullable<NonNullable<V1Volume["downwardAPI"]>["items"]>[number];

function selected(data: Readonly<Record<string, Buffer>>, { items, optional }: Ref, what: string, defaultMode: number): VolumeFiles {
    if (!items) return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, { data: value, mode: defaultMode }]));
    return Object.fromEntries(
        items.flatMap(({ key, path, mode }) => {
            const value = data[key];
            if (value) return [[path, { data: value, mode: mode ?? defaultMode }] as const];
            if (optional) return [];
            throw new Error(`${what} has no key ${key}`);
        }),
    );
}

function tokenRequest({ audience, expirationSeconds = TOKEN_SECONDS }: { audience?: string; expirationSeconds?: number }): TokenRequest {
    return { ...(audience && { audience }), expirationSeconds };
}

/** As in the kubelet, only the pod's user or group may read a token, if the pod sets one. */
function tokenFile(token: string, pod: V1Pod, defaultMode = DEFAULT_MODE): VolumeFile {
    const data = Buffer.from(token);
    const { runAsUser, fsGroup } = pod.spec?.securityContext ?? {};
    if (runAsUser === undefined && fsGroup === undefined) return { data, mode: defaultMode };
    return { data, mode: 0o600, ...(runAsUser !== undefined && { uid: runAsUser }) };
}
