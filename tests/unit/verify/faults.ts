import type { CheckId } from "../../../core/verify/report.ts";
import { type Faults, remote, TIMED_OUT } from "./fake.ts";

/**
 * The status of an agent in c1 or c2, whose ids are 1 and 2.
 *
 * @param own the id with which it runs
 */
function withIds(cluster: string, own = Number(cluster.slice(1))): string {
    const peer = cluster === "c1" ? "c2" : "c1";
    const config = { required: true, retrieved: true, "cluster-id": Number(peer.slice(1)) };
    return JSON.stringify({
        "cluster-mesh": { clusters: [{ ...remote(peer), config }] },
        "identity-range": { "min-identity": own * 65536 },
    });
}

/** Each fault, and all failures that must be reported, by check. */
export const FAULTS: [string, Faults, Partial<Record<CheckId, string[]>>][] = [
    [
        "an agent without a peer",
        {
            status: (cluster, node) =>
                JSON.stringify({ "cluster-mesh": { clusters: cluster === "c1" && node === "n2" ? [] : [remote("c1"), remote("c2")] } }),
        },
        { agents: ["c1/n2: c2: not configured: the agent has not read the Secret cilium-clustermesh yet"] },
    ],
    [
        "an agent that trusts another CA",
        {
            status: (cluster, node) => {
                const peers = ["c1", "c2"].map((name) => ({ ...remote(name), connected: cluster !== "c1" || node !== "n2" }));
                return JSON.stringify({ "cluster-mesh": { clusters: peers } });
            },
            trouble: (_, __, peer) =>
                `   ✅ TCP connection successfully established\n     ❌ Cannot establish TLS connection to ${peer}: unknown authority\n   ❌ Failed: deadline\n`,
        },
        {
            agents: [
                "c1/n2: c2: no connection to its etcd after 0 failures (the agent reports no reason): Cannot establish TLS connection to c2: unknown authority",
            ],
        },
    ],
    [
        "an agent that runs with another id than its peers know",
        { status: (cluster, node) => withIds(cluster, cluster === "c1" && node === "n2" ? 9 : undefined) },
        { agents: ["c1/n2: it runs with cluster id 9, but c2 knows c1 by id 1"] },
    ],
    [
        "an agent that does not answer",
        {
            fails: (call, cluster) =>
                call === "nodeList" && cluster === "c2" ? "cilium-dbg in cilium-n1 timed out after 20 s" : undefined,
        },
        {
            nodes: [
                "c2/n1: the agent does not answer (cilium-dbg in cilium-n1 timed out after 20 s)",
                "c2/n2: the agent does not answer (cilium-dbg in cilium-n1 timed out after 20 s)",
            ],
        },
    ],
    [
        "a node without an agent",
        { agents: (cluster) => (cluster === "c1" ? ["n1"] : ["n1", "n2"]) },
        { agents: ["c1: 1 of 2 nodes have no running agent"], nodes: ["c1: 1 of 2 nodes have no running agent"] },
    ],
    [
        "a node missing in a node list",
        {
            nodeList: (cluster, node) =>
                JSON.stringify(
                    (cluster === "c1" && node === "n1" ? ["c1/n1", "c1/n2", "c2/n1"] : ["c1/n1", "c1/n2", "c2/n1", "c2/n2"]).map(
                        (name) => ({ name }),
                    ),
                ),
        },
        { nodes: ["c1/n1: does not list c2/n2"] },
    ],
    [
        "a node that no longer exists and is still listed",
        {
            nodeList: (cluster) =>
                JSON.stringify(
                    ["c1/n1", "c1/n2", "c2/n1", "c2/n2", ...(cluster === "c2" ? ["c1/n9", "elsewhere/n1"] : [])].map((name) => ({ name })),
                ),
        },
        {
            nodes: [
                "c2/n1: still lists c1/n9, which no longer exists in Kubernetes",
                "c2/n2: still lists c1/n9, which no longer exists in Kubernetes",
            ],
        },
    ],
    [
        "no route in either direction between two nodes",
        { route: ({ node: from }, { node: to, role }) => (role === "probe" && from === "n1" && to === "n1" ? TIMED_OUT : undefined) },
        {
            pairs: [
                "c1/n1 → c2/n1: no connection within 3 s, and the reverse path fails too: a route, the peering or an ingress rule is missing",
                "c2/n1 → c1/n1: no connection within 3 s, and the reverse path fails too: a route, the peering or an ingress rule is missing",
            ],
        },
    ],
    [
        "a missing ingress rule",
        {
            route: ({ cluster, node }, { node: to, role }) =>
                role === "probe" && cluster === "c1" && node === "n1" && to === "n2" ? TIMED_OUT : undefined,
        },
        {
            pairs: [
                "c1/n1 → c2/n2: no connection within 3 s, although the reverse path works, so the routes are right: nodes of c2 do not admit tcp/8080 from c1, or a policy drops it",
            ],
        },
    ],
    [
        "source NAT by the node",
        { source: (client) => (client.cluster === "c2" && client.node === "n2" ? client.nodeAddress : client.address) },
        {
            pairs: [
                "c2/n2 → c1/n1: arrived from 10.2.0.2, the node's address, instead of the pod's 10.2.1.2: source NAT is on",
                "c2/n2 → c1/n2: arrived from 10.2.0.2, the node's address, instead of the pod's 10.2.1.2: source NAT is on",
            ],
        },
    ],
    [
        "source NAT by something other than the node",
        {
            source: (client, server) =>
                client.node === "n1" && server.cluster === "c1" && server.node === "n1" ? "172.16.0.1" : client.address,
        },
        {
            pairs: [
                "c2/n1 → c1/n1: arrived from 172.16.0.1 instead of the pod's 10.2.1.1: something on the path translates addresses, such as a NAT gateway where the route to c1 is missing",
            ],
        },
    ],
    [
        "a missing route where a NAT gateway takes the packets",
        {
            source: (client, server) => (`${client.cluster}${client.node} ${server.node}` === "c1n1 n2" ? "172.16.0.1" : client.address),
            route: (client, server) => (`${client.cluster}${client.node} ${server.node}` === "c2n2 n1" ? TIMED_OUT : undefined),
        },
        {
            pairs: [
                "c1/n1 → c2/n2: arrived from 172.16.0.1 instead of the pod's 10.1.1.1: something on the path translates addresses, such as a NAT gateway where the route to c2 is missing",
                "c2/n2 → c1/n1: no connection within 3 s, and on the reverse path the source address is translated: c1 has no route to c2, so replies go to a NAT gateway",
            ],
        },
    ],
    [
        "large packets that are lost",
        { large: (client) => (client.cluster === "c1" && client.node === "n1" ? { ...TIMED_OUT, connected: true } : undefined) },
        {
            large: ["n1", "n2"].map(
                (node) =>
                    `c1/n1 → c2/${node}: connected, but no answer, although small requests pass: packets larger than the path carries are lost`,
            ),
        },
    ],
    [
        "a large answer that is truncated",
        {
            large: (client, server) =>
                client.node === "n1" && server.cluster === "c1" ? { ...TIMED_OUT, exit: 0, status: 200, received: 1400 } : undefined,
        },
        { large: ["n1", "n2"].map((node) => `c2/n1 → c1/${node}: 1400 of 9000 bytes came back`) },
    ],
    [
        "a probe that fails under the policy, which does not count as a drop",
        { fails: failsOncePolicyIsThere("container not found") },
        {
            policy: [0, 1].flatMap(() =>
                ["c1 → c1", "c1 → c2", "c2 → c1", "c2 → c2"].map((pair) => `${pair}: probe failed: container not found`),
            ),
        },
    ],
    [
        "a probe without output under the policy, which does not count as a drop",
        { identity: (client, server) => (server.cluster === "c2" && client.cluster === "c1" ? "silent" : client.cluster) },
        { policy: ["c1 → c2: the probe reported no result", "c1 → c2: the probe reported no result"] },
    ],
    [
        "a policy that is not enforced",
        { identity: (client, server) => (server.cluster === "c2" ? "unenforced" : client.cluster) },
        {
            policy: [
                "c1 → c2: answered although the policy does not allow c1: c2 does not enforce the policy, or takes the pod for one of its own",
            ],
        },
    ],
    [
        "identities that are not propagated",
        { identity: (client, server) => (client.cluster === server.cluster || server.cluster === "c2" ? client.cluster : "world") },
        {
            policy: [
                "c2 → c1: dropped although the policy allows c2: c1 does not know the pod's address as one of c2 (no connection within 2 s)",
            ],
        },
    ],
    [
        "backends that a cluster does not know",
        {
            service: (client, service, running) =>
                service === "global-local" && running.includes(client.cluster)
                    ? [client.cluster]
                    : running.filter((name) => name === client.cluster || client.cluster === "c2"),
        },
        {
            global: ["n1", "n2"].map((node) => `c1/${node}: no answer from c2 (got: c1 20)`),
            failover: [
                "c1: global service, requested from c1: Connection refused; no answer from c2 (got: nothing)",
                "c1: global service, requested from c1: no answer from c2 (got: c1 20)",
                "c2: global service, requested from c1: no answer from c2 (got: c1 20)",
            ],
        },
    ],
    [
        "affinity that is ignored",
        { service: (client, _, running) => (client.cluster === "c1" ? running : undefined) },
        {
            affinity: ["n1", "n2"].map((node) => `c1/${node}: unexpected answers from c2 (got: c1 10, c2 10)`),
            failover: [
                "c1: global service with local affinity, requested from c1: unexpected answers from c2 (got: c1 10, c2 10)",
                "c2: global service with local affinity, requested from c1: unexpected answers from c2 (got: c1 10, c2 10)",
            ],
        },
    ],
    [
        "backends that no longer exist and still get requests",
        { service: (_, service) => (service === "global" ? ["c1", "c2"] : undefined) },
        {
            failover: [
                "c1: global service, requested from c1: unexpected answers from c1 (got: c1 10, c2 10)",
                "c2: global service, requested from c2: unexpected answers from c2 (got: c1 10, c2 10)",
            ],
        },
    ],
    [
        "an image that cannot be pulled",
        { stuck: (cluster) => (cluster === "c2" ? "ErrImagePull: no such host" : undefined), warnings: ["Failed to pull image"] },
        { pods: ["n1", "n2", "backend"].map((where) => `c2/${where}: ErrImagePull: no such host; Failed to pull image`) },
    ],
    [
        "a backend that does not start",
        { stuck: (cluster, role) => (cluster === "c2" && role === "backend" ? "CrashLoopBackOff" : undefined) },
        {
            pods: ["c2/backend: CrashLoopBackOff"],
            global: ["c1/n1", "c1/n2", "c2/n1", "c2/n2"].map((at) => `${at}: no answer from c2 (got: c1 20)`),
            affinity: ["n1", "n2"].map((node) => `c2/${node}: no answer from c2; unexpected answers from c1 (got: c1 20)`),
            failover: [
                "c1: global service, requested from c1: Connection refused; no answer from c2 (got: nothing)",
                "c1: global service, requested from c1: no answer from c2 (got: c1 20)",
                "c2: global service, requested from c2: no answer from c2 (got: c1 20)",
            ],
        },
    ],
    [
        "a namespace that cannot be created",
        { fails: (call, cluster) => (call === "createNamespace" && cluster === "c2" ? "namespaces is forbidden (HTTP 403)" : undefined) },
        { pods: ["c2: namespaces is forbidden (HTTP 403)"] },
    ],
    [
        "no permission to run commands",
        { fails: (call, cluster) => (call === "probe" && cluster === "c1" ? "pods/exec is forbidden (HTTP 403)" : undefined) },
        {
            pairs: ["n1 → c2/n1", "n1 → c2/n2", "n2 → c2/n1", "n2 → c2/n2"].map(
                (pair) => `c1/${pair}: probe failed: pods/exec is forbidden (HTTP 403)`,
            ),
            global: ["n1", "n2"].map(
                (node) => `c1/${node}: probe failed: pods/exec is forbidden (HTTP 403); no answer from c1, c2 (got: nothing)`,
            ),
            affinity: ["n1", "n2"].map(
                (node) => `c1/${node}: probe failed: pods/exec is forbidden (HTTP 403); no answer from c1 (got: nothing)`,
            ),
            failover: [
                "c1: global service, requested from c1: probe failed: pods/exec is forbidden (HTTP 403); no answer from c2 (got: nothing)",
                "c1: global service, requested from c1: probe failed: pods/exec is forbidden (HTTP 403); no answer from c1, c2 (got: nothing)",
                "c2: global service, requested from c1: probe failed: pods/exec is forbidden (HTTP 403); no answer from c1 (got: nothing)",
                "c2: global service, requested from c1: probe failed: pods/exec is forbidden (HTTP 403); no answer from c1, c2 (got: nothing)",
            ],
        },
    ],
    [
        "a kind of policy that Kubernetes does not know",
        {
            fails: (call, cluster, kind) =>
                call === "apply" && cluster === "c2" && kind === "CiliumNetworkPolicy" ? "no matches for kind" : undefined,
        },
        {
            policy: [0, 1].flatMap(() =>
                ["c1 → c1", "c1 → c2", "c2 → c1", "c2 → c2"].map((pair) => `${pair}: the policy could not be applied: no matches for kind`),
            ),
        },
    ],
    [
        "backends that cannot be scaled",
        { fails: scalingFails() },
        { failover: ["c2: the backends could not be scaled to 0: deployments is forbidden"] },
    ],
    [
        "an API server that does not answer",
        { fails: (call, cluster) => (cluster === "c2" && call !== "removeNamespace" ? "connect ECONNREFUSED" : undefined) },
        {
            agents: ["c2: request to its API server failed: connect ECONNREFUSED"],
            nodes: ["c2: request to its API server failed: connect ECONNREFUSED"],
            pods: ["c2: connect ECONNREFUSED"],
        },
    ],
];

function failsOncePolicyIsThere(why: string): Faults["fails"] {
    let there = false;
    return (call, _, kind) => {
        there ||= kind === "CiliumNetworkPolicy";
        return there && call === "probe" ? why : undefined;
    };
}

/** Fails once, the second time that c2's Deployment is applied. */
function scalingFails(): Faults["fails"] {
    let times = 0;
    return (call, cluster, kind) => {
        if (call !== "apply" || cluster !== "c2" || kind !== "Deployment") return undefined;
        times += 1;
        return times === 2 ? "deployments is forbidden" : undefined;
    };
}
