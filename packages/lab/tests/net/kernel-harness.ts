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
/** A connection that nobody answers within this time is closed; an open one takes about a millisecond. */
const PROBE_MILLISECONDS = 1_000;
/** A difference must have gone after this many looks: health takes a while to be measured. */
const LOOKS = 12;

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
    if (!debian) throw new Error("the network's programs are not there");
    return { ip: debian.file.ip, nft: debian.file.nft, netd };
}
type Programs = Awaited<ReturnType<typeof programs>>;

/** From where a packet is sent, and as what the simulated AWS knows it. */
export interface End {
    name: string;
    namespace: string;
    endpoint: Endpoint;
    /** The interface that it is, or is behind. */
    interfaceId: string;
}

/** A network with something that listens at every node and at a pod of every node. */
export async function testNetwork(aws: SimulatedAws, id: string, members: readonly Member[]) {
    const folder = await mkdtemp(join(tmpdir(), "clustermesh-net-"));
    const tools = await programs();
    const told: string[] = [];
    const network = await startNetwork({ aws, id, programs: tools, folder, log: (line) => told.push(line), checkSpeed: 50 });
    const pods: string[] = [];
    const listeners: { close(): Promise<void> }[] = [];
    await network.settled();

    const ends: End[] = [];
    for (const one of members) {
        for (const [i, node] of one.nodes().entries()) {
            const inside = network.namespaceOf(node.interfaceId);
            // Not one of the network's own names, which it would clear away.
            const pod = `pod-${id}-${one.name}-${i}`;
            pods.push(pod);
            await addPod(tools.ip, pod, inside, node.pod);
            const end = (name: string, namespace: string, address: string) =>
                ends.push({ name: `${one.name}/${name}${i}`, namespace, endpoint: one.endpoint(address), interfaceId: node.interfaceId });
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
    const balancers = members.flatMap((one) =>
        one.zones.map(({ balancer }, i) => ({ name: `${one.name}/etcd${i}`, endpoint: one.endpoint(balancer) })),
    );
    const targets = [
        ...ends.map((end) => ({ ...end, port: POD_PORT })),
        ...balancers.map((one) => ({ ...one, interfaceId: "", port: ETCD_PORT })),
    ];
    // What a node and its own pods say to each other leaves no interface, so no group filters it.
    const pairs = ends.flatMap((from) => targets.filter((to) => to.interfaceId !== from.interfaceId).map((to) => ({ from, to })));

    /** Which of all pairs the kernel and the simulated AWS disagree on, each in a sentence. */
    const disagreements = async (): Promise<string[]> => {
        await network.settled();
        const seen = await probe(
            tools,
            pairs.map(({ from, to }) => ({ end: from, to: to.endpoint.address, port: to.port })),
        );
        return pairs.flatMap(({ from, to }, i) => {
            const traffic = { protocol: "tcp", port: to.port } as const;
            const path = aws.edit(ANYWHERE, (scope) => pathBetween(scope, from.endpoint, to.endpoint, traffic, findBalancerTargets));
            const open = seen[i]?.seen !== undefined;
            return open === path.open ? [] : [`${from.name} → ${to.name}: ${open ? "open" : seen[i]?.error}, but ${path.summary}`];
        });
    };
    return {
        network,
        tools,
        /** Removed at the end. */
        folder,
        ends,
        told,
        pairs,
        end: (name: string) => {
            const found = ends.find((one) => one.name === name);
            if (!found) throw new Error(`no end ${name}`);
            return found;
        },
        /** That the kernel lets through what the simulated AWS does, and nothing else; and how many of all pairs that is. */
        async agrees(): Promise<number> {
            let different = await disagreements();
            for (let look = 1; different.length > 0 && look < LOOKS; look++) different = await disagreements();
            expect(different).toEqual([]);
            expect(told).toEqual([]);
            return pairs.filter(
                ({ from, to }) =>
                    aws.edit(ANYWHERE, (scope) =>
                        pathBetween(scope, from.endpoint, to.endpoint, { protocol: "tcp", port: to.port }, findBalancerTargets),
                    ).open,
            ).length;
        },
        /** As whom the other end sees this one; throws when it does not answer. */
        async seenAs(from: End, to: string, port: number): Promise<string> {
            const [outcome] = await probe(tools, [{ end: from, to, port }]);
            if (!outcome?.seen) throw new Error(`${from.name} → ${to}:${port}: ${outcome?.error}`);
            return outcome.seen;
        },
        /** More than once does no harm. */
        async close(): Promise<void> {
            for (const one of listeners.splice(0)) await one.close();
            for (const pod of pods.splice(0)) await run(tools.ip, ["netns", "delete", pod]);
            await network.close();
            await rm(folder, { recursive: true, force: true });
        },
    };
}
export type TestNetwork = Awaited<ReturnType<typeof testNetwork>>;

/** A pod as the VPC CNI gives it its address: behind its node, by a link of its own. */
async function addPod(ip: string, pod: string, node: string, address: string): Promise<void> {
    const batch = async (namespace: string[], lines: string[]) => {
        const child = run(ip, [...namespace, "-batch", "-"]);
        child.child.stdin?.end(`${lines.join("\n")}\n`);
        await child;
    };
    await batch([], [`netns add ${pod}`, `link add pod0 netns ${node} mtu 9001 type veth peer name eth0 netns ${pod} mtu 9001`]);
    await batch(["-netns", node], ["address add 169.254.1.1/32 dev pod0", "link set pod0 up", `route add ${address} dev pod0`]);
    const own = ["link set lo up", `address add ${address}/32 dev eth0`, "link set eth0 up"];
    await batch(["-netns", pod], [...own, "route add 169.254.1.1 dev eth0 scope link", "route add default via 169.254.1.1 dev eth0"]);
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

async function probe({ netd }: Programs, all: { end: End; to: string; port: number }[]): Promise<Outcome[]> {
    const child = run(netd, ["probe"], { maxBuffer: 2 ** 24 });
    const probes = all.map(({ end, to, port }) => ({
        namespace: end.namespace,
        from: end.endpoint.address,
        to: `${to}:${port}`,
        timeoutMilliseconds: PROBE_MILLISECONDS,
    }));
    child.child.stdin?.end(JSON.stringify(probes));
    const { stdout } = await child;
    const outcomes: Outcome[] = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    return outcomes.toSorted((a, b) => a.index - b.index);
}

/** A connection that stays, over which one line after the other is sent and comes back. */
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
        /** What comes back; nothing when the connection has ended, or is answered no more. */
        say: async (line: string) => {
            child.stdin.write(`${line}\n`);
            return next();
        },
        end: () => {
            child.kill("SIGKILL");
        },
    };
}

/** All that a network could leave on this machine. Its links are called after interfaces, peerings and gateways. */
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
