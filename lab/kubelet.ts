import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Credential } from "./pki.ts";
import { acceptWebSocket } from "./websocket.ts";

/** The only client of a kubelet. */
export const KUBELET_CLIENT = "kube-apiserver-kubelet-client";

/** A node that declares it is sent a client's WebSocket as it is; otherwise the API server translates it to SPDY. Kubernetes 1.36, beta, on. */
export const DECLARED_FEATURES = ["ExtendWebSocketsToKubelet"];

const PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const CHANNEL = { stdout: 1, stderr: 2, status: 3 };

/** A command that somebody runs in a container. */
export interface ExecRequest {
    namespace: string;
    pod: string;
    container: string;
    command: string[];
}

/** What the command wrote and how it ended. */
export interface ExecResult {
    stdout?: string;
    stderr?: string;
    /** @default 0 */
    exitCode?: number;
}

export type ExecHandler = (request: ExecRequest) => Promise<ExecResult>;

export interface Kubelet {
    port: number;
    close(): Promise<void>;
}

/**
 * Answers the API server's exec requests for the nodes that kwok plays. kwok's own server would do it too, but asks nobody for a certificate and runs
 * whatever command it is sent, as the lab's user; here a function answers, and only the API server may ask.
 */
export async function startKubelet(port: number, serving: Credential, clientAuthority: string, exec: ExecHandler): Promise<Kubelet> {
    const server = createServer({
        cert: serving.certificate,
        key: serving.key,
        ca: clientAuthority,
        requestCert: true,
        rejectUnauthorized: true,
    });
    server.on("request", (_request, response) => response.writeHead(501).end("the lab's nodes only answer exec, over WebSockets\n"));
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
        const asked = parseExec(request.url ?? "");
        const protocol = PROTOCOLS.find((name) => request.headers["sec-websocket-protocol"]?.split(/, */).includes(name));
        const key = request.headers["sec-websocket-key"];
        if (!fromApiServer(socket)) return refuse(socket, "403 Forbidden");
        if (!asked || !protocol || !key) return refuse(socket, "400 Bad Request");
        const client = acceptWebSocket(socket, key, protocol);
        const send = (channel: number, text: string) => {
            if (text) client.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
        };
        exec(asked)
            .catch((error): ExecResult => ({ stderr: `${error instanceof Error ? error.message : error}\n`, exitCode: 126 }))
            .then(({ stdout = "", stderr = "", exitCode = 0 }) => {
                send(CHANNEL.stdout, stdout);
                send(CHANNEL.stderr, stderr);
                send(CHANNEL.status, JSON.stringify(status(exitCode)));
                client.close();
            });
    });
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

/** @returns undefined when the address is no exec's: /exec/<namespace>/<pod>/<container>?command=... */
function parseExec(url: string): ExecRequest | undefined {
    const { pathname, searchParams } = new URL(url, "https://localhost");
    const [, verb, namespace, pod, container] = pathname.split("/");
    if (verb !== "exec" || !namespace || !pod || !container) return undefined;
    return { namespace, pod, container, command: searchParams.getAll("command") };
}

/** Any certificate of the cluster passes the handshake; exec as a node's superuser is for one holder only. */
function fromApiServer(socket: Duplex): boolean {
    return socket instanceof TLSSocket && socket.authorized && socket.getPeerCertificate().subject?.CN === KUBELET_CLIENT;
}

function refuse(socket: Duplex, reason: string): void {
    socket.end(`HTTP/1.1 ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** How the kubelet puts the end of a command; clients read the exit code from the cause. */
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
