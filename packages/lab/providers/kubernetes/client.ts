import http from "node:http";
import https from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Properties } from "../values.ts";
import { isProperties } from "../values.ts";
import type { KubernetesObject } from "./objects.ts";

/** The API server's refusal. */
export class ApiError extends Error {
    readonly status: number;
    /** Such as AlreadyExists, Conflict, NotFound, Invalid. */
    readonly reason: string;
    /** Fields that the refusal is about. */
    readonly causes: { reason: string; field: string }[];
    constructor(status: number, body: string) {
        const parsed = parse(body);
        super(typeof parsed.message === "string" ? parsed.message : `the server answered ${status}: ${body.slice(0, 500)}`);
        this.status = status;
        this.reason = String(parsed.reason ?? "");
        const details = isProperties(parsed.details) && Array.isArray(parsed.details.causes) ? parsed.details.causes : [];
        this.causes = details
            .filter(isProperties)
            .map(({ reason, field }) => ({ reason: String(reason ?? ""), field: String(field ?? "") }));
    }
}

/** There is no API server where the kubeconfig says, or it does not let us in. */
export class Unreachable extends Error {}

/** Where the objects of a kind are. */
export interface Location {
    /** `/apis/apps/v1`. */
    root: string;
    plural: string;
    namespaced: boolean;
}

export type Verb = { dryRun?: boolean; signal?: AbortSignal };
export type Query = Record<string, string | undefined>;

/**
 * An API server. Speaks plain HTTP with what a kubeconfig says, as @kubernetes/client-node reads it: that library's own objects drop the fields which it does
 * not know.
 */
export class ApiServer {
    readonly #config: KubeConfig;
    readonly #locations = new Map<string, Promise<Properties[]>>();

    constructor(config: KubeConfig) {
        this.#config = config;
    }

    /** Where a kind is; undefined: the server has none of the kind (yet). */
    async locate(apiVersion: string, kind: string, signal?: AbortSignal): Promise<Location | undefined> {
        const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
        const known = this.#locations.get(root) ?? this.#discover(root, signal);
        this.#locations.set(root, known);
        const found = (await known.catch(() => [])).find((resource) => resource.kind === kind && !String(resource.name).includes("/"));
        // A definition that is made later has to be found then.
        if (!found) this.#locations.delete(root);
        await known;
        return found && { root, plural: String(found.name), namespaced: found.namespaced === true };
    }

    async #discover(root: string, signal?: AbortSignal): Promise<Properties[]> {
        try {
            const { resources } = await this.request("GET", root, { signal });
            return (Array.isArray(resources) ? resources : []).filter(isProperties);
        } catch (error) {
            if (error instanceof ApiError && error.status === 404) return [];
            throw error;
        }
    }

    async request(
        method: string,
        path: string,
        options: { query?: Query; body?: unknown; type?: string; signal?: AbortSignal | undefined } = {},
    ): Promise<KubernetesObject> {
        const url = new URL(`${this.#config.getCurrentCluster()?.server ?? ""}${path}`);
        for (const [key, value] of Object.entries(options.query ?? {})) if (value !== undefined) url.searchParams.set(key, value);
        const body = options.body === undefined ? undefined : JSON.stringify(options.body);
        const { status, text } = await this.#send(url, method, body, options.type ?? "application/json", options.signal);
        if (status >= 300) throw status === 401 ? new Unreachable(new ApiError(status, text).message) : new ApiError(status, text);
        return parse(text);
    }

    async #send(url: URL, method: string, body: string | undefined, type: string, signal: AbortSignal | undefined) {
        const settings: https.RequestOptions = {};
        try {
            await this.#config.applyToHTTPSOptions(settings);
        } catch (error) {
            throw new Unreachable(`no credentials: ${(error as Error).message}`);
        }
        const headers = { ...settings.headers, accept: "application/json", ...(body !== undefined && framed(body, type)) };
        return new Promise<{ status: number; text: string }>((resolve, reject) => {
            const send = url.protocol === "http:" ? http.request : https.request;
            const request = send(url, { ...settings, method, headers: headers as http.OutgoingHttpHeaders, signal }, (response) => {
                const chunks: Buffer[] = [];
                response.on("data", (chunk: Buffer) => chunks.push(chunk));
                response.on("error", reject);
                response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }));
            });
            request.on("error", (error) => reject(signal?.aborted ? error : new Unreachable(`${method} ${url.origin}: ${error.message}`)));
            request.end(body);
        });
    }
}

/** Node announces no body of a DELETE by itself: the server would take it for the next request. */
function framed(body: string, type: string) {
    return { "content-type": type, "content-length": String(Buffer.byteLength(body)) };
}

function parse(text: string): KubernetesObject {
    try {
        const parsed: unknown = JSON.parse(text);
        return typeof parsed === "object" && parsed !== null ? (parsed as KubernetesObject) : {};
    } catch {
        return {};
    }
}
