import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Duplex, PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TLSSocket } from "node:tls";
import type { Credential } from "./pki.ts";
import { acceptWebSocket } from "./websocket.ts";

/** Common name of a kubelet's only client. */
export const KUBELET_CLIENT = "kube-apiserver-kubelet-client";

/**
 * With this feature, a node gets a client's WebSocket unchanged. Otherwise the API server translates it to SPDY. Beta and on by default in
 * Kubernetes 1.36.
 */
export const DECLARED_FEATURES = ["ExtendWebSocketsToKubelet"];

/** Version 5 can signal the end of the client's input, version 4 cannot. */
const PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 };

/** A container of a pod. */
export interface ContainerAddress {
    namespace: string;
    pod: string;
    container: string;
}

/** A command to run in a container. */
export interface ExecRequest extends ContainerAddress {
    command: string[];
}

export interface ExecStreams {
    /** The client's input. Ends at once if the client sends none. */
    stdin: Readable;
    stdout(data: Buffer | string): void;
    stderr(data: Buffer | string): void;
}

/** A request for a container's output. */
export interface LogRequest extends ContainerAddress {
    follow: boolean;
    /** Reads the output of the container's previous start. */
    previous: boolean;
    tailLines?: number;
    limitBytes?: number;
}

/** The containers of a cluster's nodes. */
export interface Containers {
    /** Runs a command. @returns its exit code */
    exec(request: ExecRequest, streams: ExecStreams): Promise<number>;
    /** Reads output. @param signal aborted when the client disconnects @throws Error if the container does not exist */
    logs(request: LogRequest, signal: AbortSignal): Promise<Readable>;
}

/** Output and exit code of a command. */
interface ExecResult {
    stdout?: string;
    stderr?: string;
    /** Default 0. */
    exitCode?: number;
}

export type ExecHandler = (request: ExecRequest) => Promise<ExecResult>;

/** Containers in which nothing runs: a function answers commands. */
export function simulatedContainers(handler: ExecHandler): Containers {
    return {
        async exec(request, streams) {
            const { stdout, stderr, exitCode = 0 } = await handler(request);
            if (stdout) streams.stdout(stdout);
            if (stderr) streams.stderr(stderr);
            return exitCode;
        },
        logs: () => Promise.reject(new Error("the lab's simulated nodes run no containers, so there are no logs")),
    };
}

export interface Kubelet {
    port: number;
    close(): Promise<void>;
}

/**
 * Serves exec and logs requests of the API server for all nodes of a cluster. kwok has a server for them too, but that one accepts clients
 * without a certificate and runs any command as the lab's user. This one accepts only the API server.
 */
export async function startKubelet(port: number, serving: Credential, clientAuthority: string, containers: Containers): Promise<Kubelet> {
    const server = createServer({
        cert: serving.certificate,
        key: serving.key,
        ca: clientAuthority,
        requestCert: true,
        rejectUnauthorized: true,
    });
    server.on("request", (request, response) => answerLogs(containers, request, response));
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => answerExec(containers, request, socket));
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return {
        port: (server.address() as AddressInfo).port,
        async close() {
            server.closeAllConnections();
            server.close();
            await once(server, "close");
        },
    };
}

function answerExec(containers: Containers, { url = "", headers }: IncomingMessage, socket: Duplex): void {
    const asked = parse(url, "exec");
    const protocol = PROTOCOLS.find((name) => headers["sec-websocket-protocol"]?.split(/, */).includes(name));
    const key = headers["sec-websocket-key"];
    if (!fromApiServer(socket) || !asked || !protocol || !key) {
        const reason = fromApiServer(socket) ? "400 Bad Request" : "403 Forbidden";
        socket.end(`HTTP/1.1 ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
    }
    const stdin = new PassThrough();
    if (!flag(asked.query, "input") && !flag(asked.query, "stdin")) stdin.end();
    const client = acceptWebSocket(socket, key, protocol, (message) => {
        const [channel, rest] = [message[0], message.subarray(1)];
        if (channel === CHANNEL.stdin && !stdin.writableEnded) stdin.write(rest);
        if (channel === CHANNEL.close && rest[0] === CHANNEL.stdin) stdin.end();
    });
    socket.on("close", () => stdin.end());
    const send = (channel: number) => (data: Buffer | string) => client.send(Buffer.concat([Buffer.from([channel]), Buffer.from(data)]));
    const streams = { stdin, stdout: send(CHANNEL.stdout), stderr: send(CHANNEL.stderr) };
    containers
        .exec({ ...asked.address, command: asked.query.getAll("command") }, streams)
        .catch((error) => {
            streams.stderr(`${error instanceof Error ? error.message : error}\n`);
            return 126;
        })
        .then((exitCode) => {
            send(CHANNEL.status)(JSON.stringify(status(exitCode)));
            client.close();
        });
}

async function answerLogs(containers: Containers, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = request.method === "GET" ? parse(request.url ?? "", "containerLogs") : undefined;
    const refuse = (code: number, why = "") => {
        response.writeHead(code).end(why);
    };
    if (!fromApiServer(request.socket)) return refuse(403);
    if (!asked) return refuse(501, "the lab's nodes serve only logs, and exec over WebSockets\n");
    const { query, address } = asked;
    const number = (name: string) => (query.has(name) ? { [name]: Number(query.get(name)) } : {});
    if (flag(query, "timestamps") || query.has("sinceSeconds") || query.has("sinceTime"))
        return refuse(400, "the lab's nodes do not keep timestamps of log lines\n");
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    try {
        const wanted = { ...address, follow: flag(query, "follow"), previous: flag(query, "previous") };
        const log = await containers.logs({ ...wanted, ...number("tailLines"), ...number("limitBytes") }, gone.signal);
        response.writeHead(200, { "content-type": "text/plain" }).flushHeaders();
        await pipeline(log, response);
    } catch (error) {
        if (!response.headersSent) refuse(404, `${error instanceof Error ? error.message : error}\n`);
        else response.destroy();
    }
}

/** Parses /<verb>/<namespace>/<pod>/<container>?... @returns undefined for any other path */
function parse(url: string, wanted: string): { address: ContainerAddress; query: URLSearchParams } | undefined {
    const { pathname, searchParams } = new URL(url, "https://localhost");
    const [, verb, namespace, pod, container] = pathname.split("/");
    if (verb !== wanted || !namespace || !pod || !container) return undefined;
    return { address: { namespace, pod, container }, query: searchParams };
}

function flag(query: URLSearchParams, name: string): boolean {
    return ["1", "true"].includes(query.get(name) ?? "");
}

/** The TLS handshake accepts every certificate of the cluster's CA. Only the API server may run commands, which run as root of the node. */
function fromApiServer(socket: Duplex): boolean {
    return socket instanceof TLSSocket && socket.authorized && socket.getPeerCertificate().subject?.CN === KUBELET_CLIENT;
}

/** A command's end in the kubelet's format. Clients read the exit code from the cause. */
function status(exitCode: number) {
    if (exitCode === 0) return { metadata: {}, status: "Success" };
    return {
        metadata: {},
        status: "Failure",
        reason: "NonZeroExitCode",
        message: `command terminated with non-zero exit code: exit status ${exitCode}`,
        details: { causes: [{ reason: "ExitCode", message: `${exitCode}` }] },
    };
}
