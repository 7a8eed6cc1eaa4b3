import { setTimeout as sleep } from "node:timers/promises";
import type { V1Container, V1HTTPGetAction, V1Probe } from "@kubernetes/client-node";

/** How probes reach a container. Each method rejects with the reason when the probe fails. */
export interface Prober {
    /** @returns the HTTP status code */
    httpGet(host: string, port: number, request: string, timeoutSeconds: number): Promise<number>;
    connect(host: string, port: number, timeoutSeconds: number): Promise<void>;
    exec(command: readonly string[], timeoutSeconds: number): Promise<void>;
}

/** The container that a probe checks. */
export interface ProbeTarget {
    container: V1Container;
    podAddress: string;
}

/**
 * Runs a probe once.
 *
 * @throws Error with the reason when the probe fails
 */
export async function runProbe(probe: V1Probe, { container, podAddress }: ProbeTarget, prober: Prober): Promise<void> {
    const { httpGet, tcpSocket, exec, timeoutSeconds = 1 } = probe;
    if (exec) return prober.exec(exec.command ?? [], timeoutSeconds);
    if (tcpSocket) return prober.connect(tcpSocket.host || podAddress, portOf(tcpSocket.port, container), timeoutSeconds);
    if (!httpGet || httpGet.scheme === "HTTPS")
        throw new Error("probe type not supported: the lab's kubelet supports httpGet (HTTP), tcpSocket and exec");
    const host = httpGet.host || podAddress;
    const port = portOf(httpGet.port, container);
    const status = await prober.httpGet(host, port, httpRequest(httpGet, `${host}:${port}`), timeoutSeconds);
    if (status < 200 || status >= 400) throw new Error(`HTTP probe failed with statuscode: ${status}`);
}

function portOf(port: number | string, { name, ports = [] }: V1Container): number {
    const number = Number(port);
    if (Number.isInteger(number)) return number;
    const found = ports.find((candidate) => candidate.name === port)?.containerPort;
    if (found === undefined) throw new Error(`container ${name} has no port named ${port}`);
    return found;
}

/** The HTTP request of a probe, as text. The probe's own headers override the defaults. */
export function httpRequest({ path = "/", httpHeaders = [] }: V1HTTPGetAction, host: string): string {
    const headers = new Map([
        ["Host", host],
        ["User-Agent", "kube-probe/lab"],
        ["Accept", "*/*"],
        ["Connection", "close"],
        ...httpHeaders.map(({ name, value }) => [name, value] as [string, string]),
    ]);
    return [
        `GET ${path.startsWith("/") ? path : `/${path}`} HTTP/1.1`,
        ...[...headers].map(([name, value]) => `${name}: ${value}`),
        "",
        "",
    ].join("\r\n");
}

/** What a probe has found so far. */
export interface ProbeState {
    /** undefined until one of the two thresholds has been reached for the first time. */
    passing?: boolean;
    /** The last result. */
    last?: boolean;
    /** How often the last result came in a row. */
    streak: number;
}

/** The state after one more result. `passing` changes after `successThreshold` successes, or `failureThreshold` failures, in a row. */
export function advance(
    { passing, last, streak }: ProbeState,
    success: boolean,
    { successThreshold = 1, failureThreshold = 3 }: V1Probe,
): ProbeState {
    const now = last === success ? streak + 1 : 1;
    return { passing: now >= (success ? successThreshold : failureThreshold) ? success : passing, last: success, streak: now };
}

/** Runs `check` in the probe's interval until aborted. Calls `onChange` whenever the probe starts or stops passing. */
export async function watchProbe(
    probe: V1Probe,
    check: () => Promise<void>,
    onChange: (passing: boolean, why: string) => void,
    signal: AbortSignal,
): Promise<void> {
    let state: ProbeState = { streak: 0 };
    const pause = (seconds: number) => sleep(seconds * 1000, undefined, { signal });
    try {
        await pause(probe.initialDelaySeconds ?? 0);
        for (;;) {
            const why = await check().then(
                () => "",
                (error) => (error instanceof Error ? error.message : String(error)),
            );
            if (signal.aborted) return;
            const next = advance(state, why === "", probe);
            if (next.passing !== undefined && next.passing !== state.passing) onChange(next.passing, why);
            state = next;
            await pause(probe.periodSeconds ?? 10);
        }
    } catch (error) {
        if (!signal.aborted) throw error;
    }
}
