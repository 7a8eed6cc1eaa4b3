import { expect, test } from "vitest";
import { laggingPeers } from "../../core/cilium/readiness.ts";
import { type Agent, type Agents, awaitMesh } from "../../core/gate.ts";

const synced = { nodes: true, endpoints: true, identities: true, services: true };
/** As Cilium 1.20 prints it (api/v1/models/remote_cluster.go): fields that are false or 0 are omitted. */
const remote = (name: string, over: object = {}) => ({
    name,
    ready: true,
    connected: true,
    status: `etcd: 1/1 connected, has-quorum=true: https://${name}.mesh.cilium.io:2379 - 3.7.1 (Leader)`,
    config: { required: true, retrieved: true, "cluster-id": 2 },
    synced,
    "num-nodes": 3,
    ...over,
});
const status = (...clusters: object[]) =>
    JSON.stringify({
        cilium: { state: "Ok" },
        "cluster-mesh": { clusters, "num-global-services": 0 },
        "identity-range": { "min-identity": 65536, "max-identity": 131071 },
    });

test("an agent that sees every peer ready and synced lags behind no peer", () => {
    expect(laggingPeers(status(remote("west"), remote("north")), ["west", "north"])).toEqual([]);
});

test.each([
    ["no mesh at all", JSON.stringify({ cilium: { state: "Ok" } }), "not configured"],
    ["another peer only", status(remote("north")), "not configured"],
    [
        "an unreachable peer",
        status({ name: "west", "num-failures": 3, status: "Waiting for initial connection to be established\nmore" }),
        "no connection to its etcd after 3 failures (Waiting for initial connection to be established)",
    ],
    ["a peer without its configuration", status(remote("west", { config: { required: true } })), "configuration cannot be read"],
    [
        "a peer half synced",
        status(remote("west", { synced: { nodes: true, endpoints: true } })),
        "synchronization in progress for identities, services",
    ],
    [
        "a peer with the agent's own id",
        status(remote("west", { ready: undefined, config: { required: true, retrieved: true, "cluster-id": 1 }, synced: {} })),
        "refused: it has cluster id 1, the same as this agent's own cluster",
    ],
    ["a peer that is not ready", status(remote("west", { ready: undefined })), "not ready (etcd: 1/1 connected"],
])("an agent with %s lags behind", (_, json, why) => {
    expect(laggingPeers(json, ["west"])).toEqual([{ peer: "west", why: expect.stringContaining(why) }]);
});

test("throws on output that is not a status", () => {
    expect(() => laggingPeers("error: container not found", ["west"])).toThrow();
});

/** Two clusters whose agents' status a test scripts. The clock advances only by waiting. */
function lab(respond: (agent: Agent, seconds: number, restarts: number) => string, nodes = ["n1", "n2"]) {
    let now = 0;
    const restarts = new Map<string, number>();
    const lines: string[] = [];
    let statusCalls = 0;
    const uid = (cluster: string, node: string) => `${cluster}/${node}#${restarts.get(`${cluster}/${node}`) ?? 0}`;
    const agents: Agents = {
        list: async (cluster) => ({
            running: nodes.map((node) => ({ cluster, node, pod: `cilium-${node}`, uid: uid(cluster, node) })),
            expected: 2,
        }),
        status: async (agent) => {
            statusCalls += 1;
            return respond(agent, now / 1000, restarts.get(`${agent.cluster}/${agent.node}`) ?? 0);
        },
        restart: async ({ cluster, node }) => void restarts.set(`${cluster}/${node}`, (restarts.get(`${cluster}/${node}`) ?? 0) + 1),
    };
    const clock = {
        now: () => now,
        sleep: async (ms: number) => {
            now += ms;
        },
    };
    const settings = { peers: { east: ["west"], west: ["east"] }, timeoutSeconds: 300, healAfterSeconds: 60 };
    return {
        run: () => awaitMesh(settings, agents, clock, (line) => lines.push(line)),
        lines,
        restarts,
        seconds: () => now / 1000,
        statusCalls: () => statusCalls,
    };
}

const ready = (agent: Agent) => status(remote(agent.cluster === "east" ? "west" : "east"));
const behind = (agent: Agent) => status({ name: agent.cluster === "east" ? "west" : "east" });

test("passes at once when the mesh is ready", async () => {
    const { run, seconds, restarts } = lab(ready);
    await run();
    expect(seconds()).toBe(0);
    expect(restarts.size).toBe(0);
});

test("waits until the last agent is ready, logs each change once, and does not ask ready agents again", async () => {
    const { run, lines, seconds, statusCalls } = lab((agent, at) =>
        agent.cluster === "west" && agent.node === "n2" && at < 30 ? behind(agent) : ready(agent),
    );
    await run();
    expect(seconds()).toBe(30);
    expect(statusCalls()).toBe(3 + 11);
    expect(lines).toMatchInlineSnapshot(`
      [
        "0 s  east: 2 of 2 agents see every other cluster",
        "0 s  west: 1 of 2 agents see every other cluster; n2 waits for east: no connection to its etcd after 0 failures (the agent reports no reason)",
        "30 s  west: 2 of 2 agents see every other cluster",
      ]
    `);
});

test("restarts an agent that stays behind, and logs it", async () => {
    const { run, lines, restarts } = lab((agent, _, restarted) =>
        agent.cluster === "west" && agent.node === "n2" && restarted === 0 ? behind(agent) : ready(agent),
    );
    await run();
    expect([...restarts]).toEqual([["west/n2", 1]]);
    expect(lines.filter((line) => line.includes("restarting"))).toMatchInlineSnapshot(`
      [
        "60 s  west: restarting the agent on n2, behind for 60 s (restart 1 of 2)",
      ]
    `);
});

test("times out after two restarts, naming the agent, the reason and the next command", async () => {
    const { run, restarts, seconds } = lab((agent) => (agent.cluster === "west" && agent.node === "n2" ? behind(agent) : ready(agent)));
    const error = await run().catch((error) => error);
    expect(error.message).toMatchInlineSnapshot(`
      "the mesh is not ready; timed out after 300 s:
      ✖ west, agent on n2: east: no connection to its etcd after 0 failures (the agent reports no reason)
        the agent was restarted 2 times
        try: kubectl -n kube-system exec cilium-n2 -c cilium-agent -- cilium-dbg troubleshoot clustermesh east
      run \`pulumi up\` again to continue waiting; everything that was created is kept"
    `);
    expect([...restarts]).toEqual([["west/n2", 2]]);
    expect(seconds()).toBe(300);
});

test("a node without an agent keeps the mesh from being ready", async () => {
    await expect(lab(ready, ["n1"]).run()).rejects.toThrow("east: 1 of 2 nodes have no running agent");
});

test("waits for an API server that does not answer, then reports it", async () => {
    const agents: Agents = {
        list: async () => Promise.reject(new Error("connect ECONNREFUSED")),
        status: async () => "",
        restart: async () => {},
    };
    let now = 0;
    const clock = {
        now: () => now,
        sleep: async (ms: number) => {
            now += ms;
        },
    };
    const settings = { peers: { east: ["west"], west: ["east"] }, timeoutSeconds: 30, healAfterSeconds: 10 };
    await expect(awaitMesh(settings, agents, clock, () => {})).rejects.toThrow(
        "east: request to its API server failed: connect ECONNREFUSED",
    );
});
