import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Endpoint } from "../../aws/path/path.ts";
import { tryDatapath } from "../../tools/datapath.ts";
import { ensureTools } from "../../tools/tools.ts";

const run = promisify(execFile);
/** A connection without an answer within this time counts as closed. An open path answers in about 1 ms. */
const PROBE_TIMEOUT_MILLISECONDS = 1_000;

export async function programs() {
    const [{ netd }, { programs: debian }] = await Promise.all([ensureTools(["netd"]), tryDatapath()]);
    if (!debian) throw new Error("the network's programs are not installed");
    return { ip: debian.file.ip, nft: debian.file.nft, netd };
}
export type Programs = Awaited<ReturnType<typeof programs>>;

/** A sender of packets in the kernel, and the endpoint that it is in the simulated AWS. */
export interface End {
    name: string;
    namespace: string;
    endpoint: Endpoint;
    /** The interface that it is, or through which it sends. */
    interfaceId: string;
}

/** Creates a pod as the VPC CNI does: connected to its node by a link of its own. */
export async function addPod(ip: string, pod: string, node: string, address: string): Promise<void> {
    const batch = async (namespace: string[], lines: string[]) => {
        const child = run(ip, [...namespace, "-batch", "-"]);
        child.child.stdin?.end(`${lines.join("\n")}\n`);
        await child;
    };
    await batch([], [`netns add ${pod}`, `link add pod0 netns ${node} mtu 9001 type veth peer name eth0 netns ${pod} mtu 9001`]);
    await batch(["-netns", node], ["address add 169.254.1.1/32 dev pod0", "link set pod0 up", `route add ${address} dev pod0`]);
    const inPod = ["link set lo up", `address add ${address}/32 dev eth0`, "link set eth0 up"];
    await batch(["-netns", pod], [...inPod, "route add 169.254.1.1 dev eth0 scope link", "route add default via 169.254.1.1 dev eth0"]);
}

export async function listen({ netd }: Programs, listeners: { namespace: string; address: string }[]) {
    const child = spawn(netd, ["listen"], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(child, "exit");
    child.stdin.write(JSON.stringify(listeners));
    await Promise.race([
        once(createInterface(child.stdout), "line"),
        ended.then(([code]) => Promise.reject(new Error(`netd listen: ${code}`))),
    ]);
    return {
        async close() {
            child.stdin.end();
            await ended;
        },
    };
}

interface Outcome {
    index: number;
    seen?: string;
    error?: string;
}

export async function probe({ netd }: Programs, attempts: { end: End; to: string; port: number }[]): Promise<Outcome[]> {
    const child = run(netd, ["probe"], { maxBuffer: 2 ** 24 });
    const probes = attempts.map(({ end, to, port }) => ({
        namespace: end.namespace,
        from: end.endpoint.address,
        to: `${to}:${port}`,
        timeoutMilliseconds: PROBE_TIMEOUT_MILLISECONDS,
    }));
    child.child.stdin?.end(JSON.stringify(probes));
    const { stdout } = await child;
    const outcomes: Outcome[] = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    return outcomes.toSorted((a, b) => a.index - b.index);
}

/** Opens a connection to an echo server, over which lines are sent one after another. */
export async function conversation({ ip }: Programs, from: End, to: string, port: number) {
    const talk = `exec 3<>/dev/tcp/${to}/${port}; cat <&3 & while read -r line; do echo "$line" >&3 || exit 1; done`;
    const child = spawn(ip, ["netns", "exec", from.namespace, "bash", "--norc", "-c", talk], { stdio: ["pipe", "pipe", "pipe"] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async () => {
        const timeout = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 5_000).unref());
        return (await Promise.race([lines.next().then(({ value }) => value as string | undefined), timeout])) ?? "";
    };
    const greeting = await next();
    return {
        greeting,
        /** @returns the answer; empty when the connection has ended or nothing comes back */
        say: async (line: string) => {
            child.stdin.write(`${line}\n`);
            return next();
        },
        end: () => {
            child.kill("SIGKILL");
        },
    };
}
