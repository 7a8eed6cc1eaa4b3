import { Writable } from "node:stream";
import { type ApiConstructor, type ApiType, createConfiguration, Exec, KubeConfig, ServerConfiguration } from "@kubernetes/client-node";

/** Without a timeout, an API server that accepts connections and never answers would block the caller. */
const REQUEST_TIMEOUT_MILLISECONDS = 20_000;

/** A container in which a command runs. */
interface Container {
    namespace: string;
    pod: string;
    container: string;
}

/** The API servers of several clusters. */
export interface Clients {
    /** @throws Error when there is no kubeconfig for the cluster */
    client<T extends ApiType>(cluster: string, type: ApiConstructor<T>): T;
    /**
     * Runs a command in a container.
     *
     * @returns its standard output
     * @throws Error with its standard error when it fails; Error when it does not end within `timeoutSeconds` (default 20)
     */
    exec(cluster: string, container: Container, command: string[], timeoutSeconds?: number): Promise<string>;
}

/**
 * @param kubeconfigs by cluster name
 * @param signal once aborted, running and later requests and commands fail
 */
export function kubernetesClients(kubeconfigs: Record<string, string>, signal?: AbortSignal): Clients {
    const configs = new Map(
        Object.entries(kubeconfigs).map(([cluster, text]) => {
            const config = new KubeConfig();
            config.loadFromString(text);
            return [cluster, config];
        }),
    );
    const configOf = (cluster: string) => {
        const config = configs.get(cluster);
        if (!config) throw new Error(`no kubeconfig for ${cluster}`);
        return config;
    };
    return {
        client(cluster, type) {
            const config = configOf(cluster);
            return new type(
                createConfiguration({
                    baseServer: new ServerConfiguration(config.getCurrentCluster()?.server ?? "", {}),
                    authMethods: { default: config },
                    promiseMiddleware: [
                        {
                            async pre(request) {
                                request.setHeaderParam("User-Agent", "clustermesh");
                                request.setSignal(within(REQUEST_TIMEOUT_MILLISECONDS, signal));
                                return request;
                            },
                            post: async (response) => response,
                        },
                    ],
                }),
            );
        },
        exec: (cluster, container, command, timeoutSeconds = 20) => execute(configOf(cluster), container, command, timeoutSeconds, signal),
    };
}

async function execute(
    config: KubeConfig,
    { namespace, pod, container }: Container,
    command: string[],
    timeoutSeconds: number,
    signal: AbortSignal | undefined,
): Promise<string> {
    signal?.throwIfAborted();
    const [stdout, stderr] = [collector(), collector()];
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error(`${command[0]} in ${pod} timed out after ${timeoutSeconds} s`)), timeoutSeconds * 1000);
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    const connecting = new Exec(config).exec(namespace, pod, container, command, stdout.stream, stderr.stream, null, false, (status) =>
        status.status === "Success" ? resolve(stdout.text()) : reject(new Error(stderr.text().trim() || status.message)),
    );
    connecting.then((socket) => {
        socket.onerror = () => reject(new Error(`the connection to ${pod} failed`));
        // Comes after the status, if there is one. Without this, a lost connection would look like a command that runs until its timeout.
        socket.onclose = () => reject(new Error(`the connection to ${pod} was closed before the command ended`));
    }, reject);
    try {
        return await promise;
    } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        connecting.then(
            (socket) => socket.close(),
            () => {},
        );
    }
}

function collector() {
    const chunks: Buffer[] = [];
    const stream = new Writable({
        write(chunk, _encoding, done) {
            chunks.push(chunk);
            done();
        },
    });
    // Decoded at the end, because a chunk may end in the middle of a character.
    return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}

function within(milliseconds: number, signal: AbortSignal | undefined): AbortSignal {
    const timeout = AbortSignal.timeout(milliseconds);
    return signal ? AbortSignal.any([timeout, signal]) : timeout;
}
