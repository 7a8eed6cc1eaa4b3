import { setTimeout as sleep } from "node:timers/promises";
import type { V1Container, V1HTTPGetAction, V1Probe } from "@kubernetes/client-node";

/** How a probe is asked. Each rejects with the reason when the answer is bad. */
export interface Prober {
    /** The status of the answer. */
    httpGet(host: string, port: number, request: string, timeoutSeconds: number): Promise<number>;
    connect(host: string, port: number, timeoutSeconds: number): Promise<void>;
    exec(command: readonly string[], timeoutSeconds: number): Promise<void>;
}

/** Where a probe goes. */
export interface Probed {
    container: V1Container;
    podAddress: string;
}

/** Asks once. @throws Error with the reason when the container is not well */
export async function ask(probe: V1Probe, { container, podAddress }: Probed, prober: Prober): Promise<void> {
    const { httpGet, tcpSocket, exec, timeoutSeconds = 1 } = probe;
    if (exec) return prober.exec(exec.command ?? [], timeoutSeconds);
    if (tcpSocket) return prober.connect(tcpSocket.host || podAddress, portOf(tcpSocket.port, container), timeoutSeconds);
    if (!httpGet || httpGet.scheme === "HTTPS")
        throw new Error("the lab's kubelet knows probes by httpGet (HTTP), tcpSocket and exec alone");
    const host = httpGet.host || podAddress;
    const port = portOf(httpGet.port, container);
    const status = await prober.httpGet(host, port, httpRequest(httpGet, `${host}:${port}`), timeoutSeconds);
    if (status < 200 || status >= 400) throw new Error(`HTTP probe failed with statuscode: ${status}`);
}

function portOf(port: number | string, { name, ports = [] }: V1Container): number {
    const number = Number(port);
    if (Number.isInteger(number)) return number;
    const found = ports.find((one) => one.name === port)?.containerPort;
    if (found === undefined) throw new Error(`container ${name} has no port named ${port}`);
    return found;
}

/** The request as it goes over the wire. */
export function httpRequest({ path = "/", httpHeaders = [] }: V1HTTPGetAction, host: string): string {
    const own = new Map([
        ["Host", host],
        ["User-Agent", "kube-probe/lab"],
        ["Accept", "*/*"],
        ["Connection", "close"],
        ...httpHeaders.map(({ name, value }) => [name, value] as [string, string]),
    ]);
    return [
        `GET ${path.startsWith("/") ? path : `/${path}`} HTTP/1.1`,
        ...[...own].map(([name, value]) => `${name}: ${value}`),
        "",
        "",
    ].join("\r\n");
}

/** What has been seen of a probe. */
export interface Verdict {
    /** undefined before the first verdict. */
    well?: boolean;
    /** The last answer, and how often it came in a row. */
    last?: boolean;
    run: number;
}

/** The verdict after one more answer: it turns after `successThreshold` good answers, or `failureThreshold` bad ones, in a row. */
export function judge({ well, last, run }: Verdict, good: boolean, { successThreshold = 1, failureThreshold = 3 }: V1Probe): Verdict {
    const now = last === good ? run + 1 : 1;
    return { well: now >= (good ? successThreshold : failureThreshold) ? good : well, last: good, run: now };
}

/** Asks until aborted; tells each new verdict. */
export async function watchProbe(
    probe: V1Probe,
    question: () => Promise<void>,
    told: (well: boolean, why: string) => void,
    signal: AbortSignal,
): Promise<void> {
    let verdict: Verdict = { run: 0 };
    const rest = (seconds: number) => sleep(seconds * 1000, undefined, { signal });
    try {
        await rest(probe.initialDelaySeconds ?? 0);
        for (;;) {
            const why = await question().then(
                () => "",
                (error) => (error instanceof Error ? error.message : String(error)),
            );
            if (signal.aborted) return;
            const next = judge(verdict, why === "", probe);
            if (next.well !== undefined && next.well !== verdict.well) told(next.well, why);
            verdict = next;
            await rest(probe.periodSeconds ?? 10);
        }
    } catch (error) {
        if (!signal.aborted) throw error;
    }
}
