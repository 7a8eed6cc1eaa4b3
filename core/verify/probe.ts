/** Requests that a test pod sends, to each target in turn. */
export interface Probe {
    /** `address:port` of pods or services. */
    targets: readonly string[];
    /** netexec's endpoint: returns the source address of the request, or the name of the answering pod. */
    path: "/clientip" | "/hostname";
    /** Requests to each target, each on a new connection so that a service balances it again. Stops at the first failure. */
    times: number;
    /** Bytes of one more request and of its answer; 0: no such request. */
    largeBytes: number;
    /** Connection timeout, seconds. The whole request may take three times as long. */
    timeoutSeconds: number;
}

/** A request and its result. */
export interface Exchange {
    /** curl's exit code: 0, 7 (no connection), 28 (timeout), ... */
    exit: number;
    /** HTTP status; 0 when there was no answer. */
    status: number;
    body: string;
    /** curl's error message; empty on success. */
    error: string;
    /** Whether the connection was established. */
    connected: boolean;
    /** Duration of the TCP handshake: one round trip, without any program at the other end. */
    milliseconds: number;
    /** Bytes of the answer. */
    received: number;
}

/** The results of one target. */
export interface Answer {
    target: string;
    small: Exchange[];
    /** Absent when none was requested or a small request failed. */
    large?: Exchange;
}

/** Reason for a request of which the probe printed nothing. */
export const NO_RESULT = "the probe reported no result";

const MARK = "@@";
const FORMAT = `\\n${MARK} %{exitcode} %{http_code} %{time_namelookup} %{time_connect} %{size_download} %{errormsg}\\n`;

/** Runs in the image's shell with curl, because the image has no client that measures. Every value is an argument; nothing is interpolated. */
const SCRIPT = `
command -v curl >/dev/null || { echo "the image has no curl" >&2; exit 127; }
path=$1 times=$2 bytes=$3 limit=$4
shift 4
ask() { curl --silent --noproxy '*' --connect-timeout "$limit" --max-time "$((limit * 3))" --write-out "${FORMAT}" "$@"; }
for target do
    echo "${MARK}target $target"
    ask --fail-early --header 'Connection: close' "http://$target$path?[1-$times]" || continue
    [ "$bytes" = 0 ] && continue
    echo "${MARK}large"
    head -c "$bytes" /dev/zero | tr '\\0' x | ask --header 'Expect:' --output /dev/null --data-urlencode msg@- "http://$target/echo"
done
exit 0
`;

/** The command that sends the requests. The container needs sh and curl. */
export function probeCommand({ path, times, largeBytes, timeoutSeconds, targets }: Probe): string[] {
    const settings = [path, times, largeBytes, timeoutSeconds];
    return ["sh", "-c", SCRIPT, "verify", ...settings.map(String), ...targets];
}

/** Timeout of the command, seconds: enough when every target fails at once or answers fairly fast. */
export function probeSeconds({ targets, timeoutSeconds, times }: Probe): number {
    return 10 + targets.length * (timeoutSeconds * 6 + times * 0.1);
}

/** Parses the command's output. */
export function parseProbe(output: string): Answer[] {
    const answers: Answer[] = [];
    let body: string[] = [];
    let large = false;
    for (const line of output.split("\n")) {
        const answer = answers.at(-1);
        const [, exit, status, begun, connected, received, error] = /^@@ (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+) (.*)$/.exec(line) ?? [];
        if (line.startsWith(`${MARK}target `)) {
            answers.push({ target: line.slice(`${MARK}target `.length), small: [] });
            [body, large] = [[], false];
        } else if (line === `${MARK}large`) {
            [body, large] = [[], true];
        } else if (!answer || exit === undefined) {
            body.push(line);
        } else {
            const exchange = {
                exit: Number(exit),
                status: Number(status),
                body: body.join("\n").trim(),
                error: error ?? "",
                connected: Number(connected) > 0,
                milliseconds: Math.max(0, (Number(connected) - Number(begun)) * 1000),
                received: Number(received),
            };
            if (large) answer.large = exchange;
            else answer.small.push(exchange);
            body = [];
        }
    }
    return answers;
}

/** Why a request failed; undefined: it succeeded. */
export function exchangeError(exchange: Exchange | undefined, timeoutSeconds: number): string | undefined {
    if (!exchange) return NO_RESULT;
    const { exit, status, error, connected } = exchange;
    if (exit === 28) return connected ? "connected, but no answer" : `no connection within ${timeoutSeconds} s`;
    if (exit !== 0) return error || `curl exited with ${exit}`;
    return status === 200 ? undefined : `answered with HTTP ${status}, so not by the test pod`;
}

/** Median of the values; undefined when there are none. */
export function median(values: readonly number[]): number | undefined {
    const sorted = values.toSorted((a, b) => a - b);
    const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
    return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
