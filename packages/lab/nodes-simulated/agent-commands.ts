import { z } from "zod";
import type { Replica } from "./replica.ts";

/** Nodes as they are in etcd (Cilium's pkg/node/types). */
const Node = z.looseObject({
    Name: z.string(),
    Cluster: z.string(),
    IPAddresses: z.array(z.looseObject({ Type: z.string(), IP: z.string() })).nullish(),
});

/** Of its own cluster, and what the client has fetched of the others. */
const NODES = ["cilium/state/nodes/v1/", "cilium/cache/nodes/v1/"];

/** What `cilium-dbg node list -o json` says in an agent that knows what is in its cluster's etcd. */
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

/** Why the client has no connection to a peer, in the words of Cilium's own troubleshooting; undefined when that finds nothing wrong. */
export async function causeOf(replica: Pick<Replica, "troubleshoot">, peer: string): Promise<string | undefined> {
    return firstFault(await replica.troubleshoot(peer));
}

/** The first line that troubleshooting marks as wrong. */
export function firstFault(output: string): string | undefined {
    return /❌ *(.+)/.exec(output)?.[1]?.trim();
}
