import type { Prober } from "./probes.ts";
import type { Runtime } from "./runtime.ts";

/** bash connects and speaks by itself, so a probe from within the node's network costs one small process. */
const CONNECT = 'exec 3<>"/dev/tcp/$1/$2"';
const REQUEST = `${CONNECT} && printf '%s' "$3" >&3 && IFS= read -r line <&3 && printf '%s' "$line"`;

/** Asks from within the node's network namespace, as its kubelet does. */
export function nodeProber(runtime: Runtime): Omit<Prober, "exec"> {
    const bash = (script: string, args: string[], timeoutSeconds: number) =>
        // Node gives a socket for standard input, by which bash takes itself for one of rshd's and would run the user's start files, which may take seconds.
        runtime.command(["bash", "--norc", "-c", script, "probe", ...args], { timeoutSeconds }).catch((error) => {
            const what = error instanceof Error ? error.message : String(error);
            throw new Error(/connect: .*/.exec(what)?.[0] ?? what);
        });
    return {
        async httpGet(host, port, request, timeoutSeconds) {
            const line = await bash(REQUEST, [host, `${port}`, request], timeoutSeconds);
            const status = /^HTTP\/\S+ (\d{3})/.exec(line)?.[1];
            if (!status) throw new Error(`no HTTP server is at ${host}:${port}, it answered ${JSON.stringify(line)}`);
            return Number(status);
        },
        async connect(host, port, timeoutSeconds) {
            await bash(CONNECT, [host, `${port}`], timeoutSeconds);
        },
    };
}
