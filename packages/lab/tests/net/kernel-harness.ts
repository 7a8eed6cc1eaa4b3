import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import type { SimulatedAws } from "../../aws/aws.ts";
import { findBalancerTargets } from "../../aws/elb/forwarding.ts";
import { type Endpoint, pathBetween } from "../../aws/path/path.ts";
import { type Network, startNetwork } from "../../net/network.ts";
import { tryDatapath } from "../../tools/datapath.ts";
import { ETCD_PORT, type Member, NODE_PORT, POD_PORT } from "./member.ts";
import { addPod, type End, listen, type Programs, probe, programs } from "./traffic.ts";

const run = promisify(execFile);
const ANYWHERE = { account: "", region: "" };
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

/** A connection to try: from an end to an address and port. */
interface Target {
    name: string;
    endpoint: Endpoint;
    /** Empty for a balancer. */
    interfaceId: string;
    port: number;
}

/** Creates a network with listeners on every node and in one pod of every node. */
export async function testNetwork(aws: SimulatedAws, id: string, members: readonly Member[]): Promise<TestNetwork> {
    const folder = await mkdtemp(join(tmpdir(), "clustermesh-net-"));
    const tools = await programs();
    const logged: string[] = [];
    const network = await startNetwork({ aws, id, programs: tools, folder, log: (line) => logged.push(line), checkSpeed: 50 });
    const testNetwork = new TestNetwork(aws, network, tools, folder, logged);
    await network.settled();
    await testNetwork.populate(id, members);
    return testNetwork;
}

export class TestNetwork {
    readonly network: Network;
    readonly tools: Programs;
    /** Removed by `close`. */
    readonly folder: string;
    readonly #aws: SimulatedAws;
    readonly #logged: readonly string[];
    readonly #ends: End[] = [];
    #pairs: { from: End; to: Target }[] = [];
    /** Namespaces of pods. */
    readonly #pods: string[] = [];
    readonly #listeners: { close(): Promise<void> }[] = [];

    constructor(aws: SimulatedAws, network: Network, tools: Programs, folder: string, logged: readonly string[]) {
        this.network = network;
        this.tools = tools;
        this.folder = folder;
        this.#aws = aws;
        this.#logged = logged;
    }

    /** Creates the pods and the listeners. */
    async populate(id: string, members: readonly Member[]): Promise<void> {
        for (const cluster of members) for (const i of cluster.nodes().keys()) await this.#addNode(id, cluster, i);
        const ports = ({ name }: End) => (name.includes("/pod") ? [POD_PORT] : [POD_PORT, NODE_PORT]);
        const addresses = this.#ends.flatMap((end) => ports(end).map((port) => ({ namespace: end.namespace, address: `0.0.0.0:${port}` })));
        this.#listeners.push(await listen(this.tools, addresses));
        const balancers = members.flatMap((cluster) =>
            cluster.zones.map(({ balancer }, i) => ({ name: `${cluster.name}/etcd${i}`, endpoint: cluster.endpoint(balancer) })),
        );
        const targets = [
            ...this.#ends.map((end) => ({ ...end, port: POD_PORT })),
            ...balancers.map((balancer) => ({ ...balancer, interfaceId: "", port: ETCD_PORT })),
        ];
        // Packets between a node and its own pods pass no interface, so no group filters them.
        this.#pairs = this.#ends.flatMap((from) => targets.filter((to) => to.interfaceId !== from.interfaceId).map((to) => ({ from, to })));
    }

    end(name: string): End {
        const found = this.#ends.find((end) => end.name === name);
        if (!found) throw new Error(`end ${name} does not exist`);
        return found;
    }

    /** Expects that the kernel allows exactly the pairs that the simulated AWS allows. @returns the number of these pairs */
    async agrees(): Promise<number> {
        let differences = await this.#disagreements();
        for (let attempt = 1; differences.length > 0 && attempt < ATTEMPTS; attempt++) differences = await this.#disagreements();
        expect(differences).toEqual([]);
        expect(this.#logged).toEqual([]);
        return this.#pairs.filter(({ from, to }) => this.#computedPath(from, to).open).length;
    }

    /** The source address that the other end sees. @throws Error when it does not answer */
    async seenAs(from: End, to: string, port: number): Promise<string> {
        const [outcome] = await probe(this.tools, [{ end: from, to, port }]);
        if (!outcome?.seen) throw new Error(`${from.name} → ${to}:${port}: ${outcome?.error}`);
        return outcome.seen;
    }

    /** May be called more than once. */
    async close(): Promise<void> {
        for (const listener of this.#listeners.splice(0)) await listener.close();
        for (const pod of this.#pods.splice(0)) await run(this.tools.ip, ["netns", "delete", pod]);
        await this.network.close();
        await rm(this.folder, { recursive: true, force: true });
    }

    async #addNode(id: string, cluster: Member, index: number): Promise<void> {
        const node = cluster.nodes()[index];
        if (!node) return;
        const { interfaceId } = node;
        const inside = this.network.namespaceOf(interfaceId);
        // Without the network's prefix: it would delete the namespace.
        const pod = `pod-${id}-${cluster.name}-${index}`;
        this.#pods.push(pod);
        await addPod(this.tools.ip, pod, inside, node.pod);
        this.#ends.push(
            { name: `${cluster.name}/node${index}`, namespace: inside, endpoint: cluster.endpoint(node.address), interfaceId },
            { name: `${cluster.name}/pod${index}`, namespace: pod, endpoint: cluster.endpoint(node.pod), interfaceId },
        );
    }

    /** A sentence for each pair on which the kernel and the simulated AWS disagree. */
    async #disagreements(): Promise<string[]> {
        await this.network.settled();
        const probes = this.#pairs.map(({ from, to }) => ({ end: from, to: to.endpoint.address, port: to.port }));
        const outcomes = await probe(this.tools, probes);
        return this.#pairs.flatMap(({ from, to }, i) => {
            const path = this.#computedPath(from, to);
            const open = outcomes[i]?.seen !== undefined;
            return open === path.open ? [] : [`${from.name} → ${to.name}: ${open ? "open" : outcomes[i]?.error}, but ${path.summary}`];
        });
    }

    #computedPath(from: End, to: Target) {
        const traffic = { protocol: "tcp", port: to.port } as const;
        return this.#aws.edit(ANYWHERE, (scope) => pathBetween(scope, from.endpoint, to.endpoint, traffic, findBalancerTargets));
    }
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
