/** Requests that a test pod sends, to each target in turn. */
export interface Probe {
    /** `address:port` of pods or services. */
    targets: readonly string[];
    /** What netexec answers: the address from which the request came, or the name of the pod that answers. */
    path: "/clientip" | "/hostname";
    /** How often each target is asked, by a connection of its own, so that each is balanced anew; the first failure ends it. */
    times: number;
    /** Bytes of a further request and its answer; 0: none. */
    largeBytes: number;
    /** Seconds until a connection must have come about. An answer may take three times as long. */
    timeoutSeconds: number;
}

/** How a request went. */
export interface Exchange {
    /** curl's exit code: 0, 7 (no connection), 28 (time over), ... */
    exit: number;
    /** HTTP status; 0 when there was no answer. */
    status: number;
    body: string;
    /** curl's words; empty when it worked. */
    error: string;
    /** Whether the connection came about. */
    connected: boolean;
    /** The connection's handshake: one round trip, in which no program takes part at the other end. */
    milliseconds: number;
    /** Bytes of the answer. */
    received: number;
}

/** What a target gave. */
export interface Answer {
    target: string;
    small: Exchange[];
    /** Not there when none was wanted, or a small one failed. */
    large?: Exchange;
}

const MARK = "@@";
const FORMAT = `\\n${MARK} %{exitcode} %{http_code} %{time_namelookup} %{time_connect} %{size_download} %{errormsg}\\n`;

/** For the image's shell, since the image has no client that measures. Nothing from outside is put into it: all values come as arguments. */
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

/** The command that sends the requests, for a container with sh and curl. */
export function probeCommand({ path, times, largeBytes, timeoutSeconds, targets }: Probe): string[] {
    const settings = [path, times, largeBytes, timeoutSeconds];
    return ["sh", "-c", SCRIPT, "verify", ...settings.map(String), ...targets];
}

/** Longest time in which the command ends, seconds, when every target fails at once or answers fairly fast. */
export function probeSeconds({ targets, timeoutSeconds, times }: Probe): number {
    return 10 + targets.length * (timeoutSeconds * 6 + times * 0.1);
}

/** Reads what the command prints. */
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

/** Why a request failed, in words; undefined: it did not. */
export function trouble(exchange: Exchange | undefined, timeoutSeconds: number): string | undefined {
    if (!exchange) return "the probe told nothing of it";
    const { exit, status, error, connected } = exchange;
    if (exit === 28) return connected ? "connected, but no answer came" : `no connection within ${timeoutSeconds} s`;
    if (exit !== 0) return error || `curl ended with ${exit}`;
    return status === 200 ? undefined : `answered with HTTP ${status}, so something else than the test pod`;
}

/** Middle of the values; undefined when there are none. */
export function median(values: readonly number[]): number | undefined {
    const sorted = values.toSorted((a, b) => a - b);
    const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
    return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
