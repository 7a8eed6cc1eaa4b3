import { expect, test } from "vitest";
import { nodeListProblems } from "../../../../core/cilium/node-list.ts";
import { laggingPeers } from "../../../../core/cilium/readiness.ts";
import { causeOf, nodeList } from "../../nodes-simulated/agent-commands.ts";
import { agentStatus, type Peer, parseRemoteClusters } from "../../nodes-simulated/remote-clusters.ts";

/** Response of kvstoremesh 1.20.2 to `GET /v1/cluster`. */
const [SYNCED, WAITING] = parseRemoteClusters(`[
    {"config":{"cluster-id":1,"endpoint-slices-export-mode":"services-and-endpointslices","required":true,"retrieved":true,"service-exports-enabled":false,
        "sync-canaries":true},"connected":true,"last-failure":"0001-01-01T00:00:00.000Z","name":"west","num-nodes":2,"ready":true,
        "status":"etcd: 1/1 connected, leases=0, lock leases=0, has-quorum=true: endpoint status checks are disabled, ID: 76ec26a7a9e33803",
        "synced":{"endpoint-slices":true,"endpoints":true,"identities":true,"nodes":true,"service-exports":false,"services":true}},
    {"config":{"required":false},"last-failure":"2026-11-24T14:30:00.000Z","name":"west","num-failures":3,
        "status":"Waiting for initial connection to be established","synced":{}}
]`);
const why = (peer: Omit<Peer, "name">) => laggingPeers(agentStatus([{ name: "west", ...peer }]), ["west"])[0]?.why;

test("an agent reports what its cluster's client reports, in a form that the gate reads", () => {
    expect(why({ remote: SYNCED })).toBeUndefined();
    expect(why({ remote: WAITING })).toBe("no connection to its etcd after 3 failures (Waiting for initial connection to be established)");
    expect(why({ remote: SYNCED && { ...SYNCED, synced: { nodes: true } } })).toContain(
        "synchronization in progress for endpoints, identities, services",
    );
});

test("the cause follows the client's status, and a path closed to the agent's own node replaces it", () => {
    expect(why({ remote: WAITING, why: "certificate signed by unknown authority" })).toContain(
        "established: certificate signed by unknown authority",
    );
    expect(why({ why: "not read yet" })).toContain("(not read yet)");
    expect(why({ remote: SYNCED, unreachable: "dial tcp 10.2.0.16:2379: i/o timeout (no route in rtb-1)" })).toContain("no route in rtb-1");
});

test("an agent without configuration has no peers, and an unknown response is refused", () => {
    expect(laggingPeers(agentStatus([]), ["west"])[0]?.why).toContain("not configured");
    expect(() => parseRemoteClusters('{"error":"not found"}')).toThrow();
});

test("the cause is the first failure that troubleshoot reports", async () => {
    const output = `
Remote cluster "west":
📄 Configuration path: /var/lib/cilium/clustermesh/west

🔌 Endpoints:
   - https://west.mesh.cilium.io:2379
     ✅ Hostname resolved to: 10.2.0.16
     ❌ Cannot establish TLS connection to west.mesh.cilium.io:2379: tls: failed to verify certificate: x509: certificate signed by unknown authority
⚙️ Etcd client:
   ❌ Failed to establish connection: context deadline exceeded
`;
    expect(await causeOf({ troubleshoot: async () => output }, "west")).toMatch(/^Cannot establish TLS .* unknown authority$/);
    expect(await causeOf({ troubleshoot: async () => "✅ TCP connection successfully established" }, "west")).toBeUndefined();
});

test("the agent's node list has the nodes in etcd: its own cluster's, and those that the client read from peers", async () => {
    const stored: Record<string, string[]> = {
        "cilium/state/nodes/v1/": ['{"Name":"e1","Cluster":"east","IPAddresses":[{"Type":"InternalIP","IP":"10.1.0.5"}],"ClusterID":2}'],
        "cilium/cache/nodes/v1/": ['{"Name":"w1","Cluster":"west","IPAddresses":null,"ClusterID":1}'],
    };
    const list = await nodeList({ stored: async (prefix) => stored[prefix] ?? [] });
    expect(JSON.parse(list)).toEqual([
        { name: "east/e1", "primary-address": { ipv4: { ip: "10.1.0.5", enabled: true } } },
        { name: "west/w1" },
    ]);
    const nodes = new Map([
        ["east", ["e1"]],
        ["west", ["w1", "w2"]],
    ]);
    expect(nodeListProblems(list, nodes)).toEqual({ missing: ["west/w2"], stale: [] });
});
