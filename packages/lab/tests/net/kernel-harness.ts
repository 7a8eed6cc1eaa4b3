import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { expect } from "vitest";
import type { SimulatedAws } from "../../aws/aws.ts";
import { findBalancerTargets } from "../../aws/elb/forwarding.ts";
import { type Endpoint, pathBetween } from "../../aws/path/path.ts";
import { startNetwork } from "../../net/network.ts";
import { tryDatapath } from "../../tools/datapath.ts";
import { ensureTools } from "../../tools/tools.ts";
import { ETCD_PORT, type Member, NODE_PORT, POD_PORT } from "./member.ts";

const run = promisify(execFile);
const ANYWHERE = { account: "", region: "" };
/** A connection without an answer within this time counts as closed. An open path answers in about 1 ms. */
const PROBE_TIMEOUT_MILLISECONDS = 1_000;
/** Differences must be gone after this many attempts: measuring health takes a while. */
const ATTEMPTS = 12;

/** Why this machine cannot have a kernel network; undefined when it can. */
export async function whyNoNetwork(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return skipped("network namespaces need root");
    const { why } = await tryDatapath();
    return why === undefined ? undefined : skipped(why);
}

function skipped(why: string): string {
    console.warn(`skipped: ${why}`);
    return why;
}

export async function programs() {
    const [{ netd }, { programs: debian }] = await Promise.all([ensureTools(["netd"]), tryDatapath()]);
    if (!debian) throw new Error("the network's programs are not installed");
    return { ip: debian.file.ip, nft: debian.file.nft, netd };
}
type Programs = Awaited<ReturnType<typeof programs>>;

/** A sender of packets in the kernel, and the endpoint that it is in the simulated AWS. */
export interface End {
    name: string;
    namespace: string;
    endpoint: Endpoint;
    /** The interface that it is, or through which it sends. */
    interfaceId: string;
}

/** A network with listeners on every node and in one pod of every node. */
export async function testNetwork(aws: SimulatedAws, id: string, members: readonly Member[]) {
    const folder = await mkdtemp(join(tmpdir(), "clustermesh-net-"));
    const tools = await programs();
    const logged: string[] = [];
    const network = await startNetwork({ aws, id, programs: tools, folder, log: (line) => logged.push(line), checkSpeed: 50 });
    const pods: string[] = [];
    const listeners: { close(): Promise<void> }[] = [];
    await network.settled();

    const ends: End[] = [];
    for (const cluster of members) {
        for (const [i, node] of cluster.nodes().entries()) {
            const inside = network.namespaceOf(node.interfaceId);
            // Without the network's prefix: it would delete the namespace.
            const pod = `pod-${id}-${cluster.name}-${i}`;
            pods.push(pod);
            await addPod(tools.ip, pod, inside, node.pod);
            const end = (name: string, namespace: string, address: string) =>
                ends.push({
                    name: `${cluster.name}/${name}${i}`,
                    namespace,
                    endpoint: cluster.endpoint(address),
                    interfaceId: node.interfaceId,
                });
            end("node", inside, node.address);
            end("pod", pod, node.pod);
        }
    }
    const isPod = ({ name }: End) => name.includes("/pod");
    const ports = (end: End) => (isPod(end) ? [POD_PORT] : [POD_PORT, NODE_PORT]);
    listeners.push(
        await listen(
            tools,
            ends.flatMap((end) => ports(end).map((port) => ({ namespace: end.namespace, address: `0.0.0.0:${port}` }))),
        ),
    );
    const balancers = members.flatMap((cluster) =>
        cluster.zones.map(({ balancer }, i) => ({ name: `${cluster.name}/etcd${i}`, endpoint: cluster.endpoint(balancer) })),
    );
    const targets = [
        ...ends.map((end) => ({ ...end, port: POD_PORT })),
        ...balancers.map((balancer) => ({ ...balancer, interfaceId: "", port: ETCD_PORT })),
    ];
    // Packets between a node and its own pods pass no interface, so no group filters them.
    const pairs = ends.flatMap((from) => targets.filter((to) => to.interfaceId !== from.interfaceId).map((to) => ({ from, to })));

    /** A sentence for each pair on which the kernel and the simulated AWS disagree. */
    const disagreements = async (): Promise<string[]> => {
        await network.settled();
        const outcomes = await probe(
            tools,
            pairs.map(({ from, to }) => ({ end: from, to: to.endpoint.address, port: to.port })),
        );
        return pairs.flatMap(({ from, to }, i) => {
            const traffic = { protocol: "tcp", port: to.port } as const;
            const path = aws.edit(ANYWHERE, (scope) => pathBetween(scope, from.endpoint, to.endpoint, traffic, findBalancerTargets));
            const open = outcomes[i]?.seen !== undefined;
            return open === path.open ? [] : [`${from.name} → ${to.name}: ${open ? "open" : outcomes[i]?.error}, but ${path.summary}`];
        });
    };
    return {
        network,
        tools,
        /** Removed by `close`. */
        folder,
        ends,
        logged,
        pairs,
        end: (name: string) => {
            const found = ends.find((end) => end.name === name);
            if (!found) throw new Error(`end ${name} does not exist`);
            return found;
        },
        /** Expects that the kernel allows exactly the pairs that the simulated AWS allows. @returns the number of these pairs */
        async agrees(): Promise<number> {
            let differences = await disagreements();
            for (let attempt = 1; differences.length > 0 && attempt < ATTEMPTS; attempt++) differences = await disagreements();
            expect(differences).toEqual([]);
            expect(logged).toEqual([]);
            return pairs.filter(
                ({ from, to }) =>
                    aws.edit(ANYWHERE, (scope) =>
                        pathBetween(scope, from.endpoint, to.endpoint, { protocol: "tcp", port: to.port }, findBalancerTargets),
                    ).open,
            ).length;
        },
        /** The source address that the other end sees. @throws Error when it does not answer */
        async seenAs(from: End, to: string, port: number): Promise<string> {
            const [outcome] = await probe(tools, [{ end: from, to, port }]);
            if (!outcome?.seen) throw new Error(`${from.name} → ${to}:${port}: ${outcome?.error}`);
            return outcome.seen;
        },
        /** May be called more than once. */
        async close(): Promise<void> {
            for (const listener of listeners.splice(0)) await listener.close();
            for (const pod of pods.splice(0)) await run(tools.ip, ["netns", "delete", pod]);
            await network.close();
            await rm(folder, { recursive: true, force: true });
        },
    };
}
export type TestNetwork = Awaited<ReturnType<typeof testNetwork>>;

/** Creates a pod as the VPC CNI does: connected to its node by a link of its own. */
async function addPod(ip: string, pod: string, node: string, address: string): Promise<void> {
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

async function listen({ netd }: Programs, listeners: { namespace: string; address: string }[]) {
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

async function probe({ netd }: Programs, attempts: { end: End; to: string; port: number }[]): Promise<Outcome[]> {
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

/** Everything that a network could leave on this machine. Its links are named after interfaces, peerings and gateways. */
export async function leftovers(id: string): Promise<{ namespaces: string[]; links: string[]; processes: string[]; mounts: string[] }> {
    const { stdout } = await run("ip", ["-o", "link"]);
    const names = stdout
        .trim()
        .split("\n")
        .map((line) => line.split(": ")[1] ?? "");
    const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").filter((line) => line.includes(`/${id}-`));
    const commands = await Promise.all(
        (await readdir("/proc")).filter((pid) => /^\d+$/.test(pid)).map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
    );
    return {
        namespaces: (await readdir("/run/netns").catch(() => [])).filter((name) => name.startsWith(`${id}-`)),
        links: names.filter((name) => /^(eni|pcx|tgw)-/.test(name)),
        processes: commands.filter((command) => command.includes(`${id}-`)),
        mounts,
    };
}
