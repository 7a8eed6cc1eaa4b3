import http from "node:http";
import https from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Properties } from "../values.ts";
import { isProperties } from "../values.ts";
import type { KubernetesObject } from "./objects.ts";

/** An error response of the API server. */
export class ApiError extends Error {
    readonly status: number;
    /** A status reason such as AlreadyExists, Conflict, NotFound or Invalid. */
    readonly reason: string;
    /** The fields that caused the error. */
    readonly causes: { reason: string; field: string }[];
    constructor(status: number, body: string) {
        const parsed = parse(body);
        super(typeof parsed.message === "string" ? parsed.message : `the server responded with ${status}: ${body.slice(0, 500)}`);
        this.status = status;
        this.reason = String(parsed.reason ?? "");
        const details = isProperties(parsed.details) && Array.isArray(parsed.details.causes) ? parsed.details.causes : [];
        this.causes = details
            .filter(isProperties)
            .map(({ reason, field }) => ({ reason: String(reason ?? ""), field: String(field ?? "") }));
    }
}

/** The kubeconfig's API server does not respond, or rejects its credentials. */
export class Unreachable extends Error {}

/** The API path of a kind. */
interface Location {
    /** `/apis/apps/v1`. */
    root: string;
    plural: string;
    namespaced: boolean;
}

type Query = Record<string, string | undefined>;

/**
 * Client of an API server. Uses @kubernetes/client-node only to read the kubeconfig, and plain HTTP for requests, because that library's typed objects drop
 * unknown fields.
 */
export class ApiServer {
    readonly #config: KubeConfig;
    readonly #locations = new Map<string, Promise<Properties[]>>();

    constructor(config: KubeConfig) {
        this.#config = config;
    }

    /** The location of a kind; undefined if the server does not know it (yet). */
    async locate(apiVersion: string, kind: string, signal?: AbortSignal): Promise<Location | undefined> {
        const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
        const known = this.#locations.get(root) ?? this.#discover(root, signal);
        this.#locations.set(root, known);
        const found = (await known.catch(() => [])).find((resource) => resource.kind === kind && !String(resource.name).includes("/"));
        // Not cached, because the kind's CRD may be created later.
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
        const headers = { ...settings.headers, accept: "application/json", ...(body !== undefined && bodyHeaders(body, type)) };
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

/** Node sets no length for the body of a DELETE, which the server would then parse as the next request. */
function bodyHeaders(body: string, type: string) {
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
