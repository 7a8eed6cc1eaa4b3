import { z } from "zod";
import type { Replica } from "./replica.ts";

/** A node in etcd (Cilium's pkg/node/types). */
const Node = z.looseObject({
    Name: z.string(),
    Cluster: z.string(),
    IPAddresses: z.array(z.looseObject({ Type: z.string(), IP: z.string() })).nullish(),
});

/** Prefixes of the nodes of its own cluster, and of those that the client has read from peers. */
const NODES = ["cilium/state/nodes/v1/", "cilium/cache/nodes/v1/"];

/** What `cilium-dbg node list -o json` prints in an agent that knows the contents of its cluster's etcd. */
export async function nodeList(replica: Pick<Replica, "stored">): Promise<string> {
    const found = await Promise.all(NODES.map((prefix) => replica.stored(prefix)));
    const nodes = found.flat().map((value) => Node.parse(JSON.parse(value)));
    return JSON.stringify(
        nodes.map(({ Name, Cluster, IPAddresses }) => {
            const ip = IPAddresses?.find(({ Type }) => Type === "InternalIP")?.IP;
            return { name: `${Cluster}/${Name}`, ...(ip && { "primary-address": { ipv4: { ip, enabled: true } } }) };
        }),
    );
}

/** Why the client is not connected to a peer, as Cilium's `troubleshoot` words it. Undefined: it finds no failure. */
export async function causeOf(replica: Pick<Replica, "troubleshoot">, peer: string): Promise<string | undefined> {
    return firstFault(await replica.troubleshoot(peer));
}

/** The first line that `troubleshoot` marks as failed. */
function firstFault(output: string): string | undefined {
    return /❌ *(.+)/.exec(output)?.[1]?.trim();
}
