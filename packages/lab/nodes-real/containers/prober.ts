import type { Prober } from "./probes.ts";
import type { Runtime } from "./runtime.ts";

/** bash opens the connection itself, so a probe from inside the node's network costs only one small process. */
const CONNECT = 'exec 3<>"/dev/tcp/$1/$2"';
const REQUEST = `${CONNECT} && printf '%s' "$3" >&3 && IFS= read -r line <&3 && printf '%s' "$line"`;

/** Probes from the node's network namespace, as a node's kubelet does. */
export function nodeProber(runtime: Runtime): Omit<Prober, "exec"> {
    const bash = (script: string, args: string[], timeoutSeconds: number) =>
        // Without --norc bash runs the user's start files, which may take seconds: Node's standard input is a socket, so bash believes that rshd started it.
        runtime.command(["bash", "--norc", "-c", script, "probe", ...args], { timeoutSeconds }).catch((error) => {
            const message = error instanceof Error ? error.message : String(error);
            throw new Error(/connect: .*/.exec(message)?.[0] ?? message);
        });
    return {
        async httpGet(host, port, request, timeoutSeconds) {
            const line = await bash(REQUEST, [host, `${port}`, request], timeoutSeconds);
            const status = /^HTTP\/\S+ (\d{3})/.exec(line)?.[1];
            if (!status) throw new Error(`${host}:${port} is not an HTTP server: it answered ${JSON.stringify(line)}`);
            return Number(status);
        },
        async connect(host, port, timeoutSeconds) {
            await bash(CONNECT, [host, `${port}`], timeoutSeconds);
        },
    };
}
