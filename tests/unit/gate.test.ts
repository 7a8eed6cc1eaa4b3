import { expect, test } from "vitest";
import { laggingPeers } from "../../core/cilium/readiness.ts";
import { type Agent, type Agents, awaitMesh } from "../../core/gate.ts";

const synced = { nodes: true, endpoints: true, identities: true, services: true };
/** As Cilium 1.20 prints it (api/v1/models/remote_cluster.go): what is false or 0 is left out. */
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

test("an agent that sees every peer ready and synced lags behind none", () => {
    expect(laggingPeers(status(remote("west"), remote("north")), ["west", "north"])).toEqual([]);
});

test.each([
    ["no mesh at all", JSON.stringify({ cilium: { state: "Ok" } }), "not configured"],
    ["another peer only", status(remote("north")), "not configured"],
    [
        "a peer that it cannot reach",
        status({ name: "west", "num-failures": 3, status: "Waiting for initial connection to be established\nmore" }),
        "no connection to its etcd after 3 failures (Waiting for initial connection to be established)",
    ],
    ["a peer without its configuration", status(remote("west", { config: { required: true } })), "configuration cannot be read"],
    [
        "a peer half synced",
        status(remote("west", { synced: { nodes: true, endpoints: true } })),
        "its identities, services are not here yet",
    ],
    [
        "a peer that has its own id",
        status(remote("west", { ready: undefined, config: { required: true, retrieved: true, "cluster-id": 1 }, synced: {} })),
        "refused: it has cluster id 1, with which this agent runs itself",
    ],
    ["a peer that is just not ready", status(remote("west", { ready: undefined })), "not ready (etcd: 1/1 connected"],
])("an agent with %s lags behind", (_, json, why) => {
    expect(laggingPeers(json, ["west"])).toEqual([{ peer: "west", why: expect.stringContaining(why) }]);
});

test("what is no status is an error, not readiness", () => {
    expect(() => laggingPeers("error: container not found", ["west"])).toThrow();
});

/** Two clusters with agents whose status a test scripts, on a clock that only moves by waiting. */
function lab(respond: (agent: Agent, seconds: number, restarts: number) => string, nodes = ["n1", "n2"]) {
    let now = 0;
    const restarts = new Map<string, number>();
    const lines: string[] = [];
    let asked = 0;
    const uid = (cluster: string, node: string) => `${cluster}/${node}#${restarts.get(`${cluster}/${node}`) ?? 0}`;
    const agents: Agents = {
        list: async (cluster) => ({
            running: nodes.map((node) => ({ cluster, node, pod: `cilium-${node}`, uid: uid(cluster, node) })),
            expected: 2,
        }),
        status: async (agent) => {
            asked += 1;
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
        asked: () => asked,
    };
}

const well = (agent: Agent) => status(remote(agent.cluster === "east" ? "west" : "east"));
const behind = (agent: Agent) => status({ name: agent.cluster === "east" ? "west" : "east" });

test("a mesh that is ready passes at the first look", async () => {
    const { run, seconds, restarts } = lab(well);
    await run();
    expect(seconds()).toBe(0);
    expect(restarts.size).toBe(0);
});

test("waits until the last agent is ready, tells each change once, and asks nobody twice who is well", async () => {
    const { run, lines, seconds, asked } = lab((agent, at) =>
        agent.cluster === "west" && agent.node === "n2" && at < 30 ? behind(agent) : well(agent),
    );
    await run();
    expect(seconds()).toBe(30);
    expect(asked()).toBe(3 + 11);
    expect(lines).toMatchInlineSnapshot(`
      [
        "0 s  east: 2 of 2 agents see every other cluster",
        "0 s  west: 1 of 2 agents see every other cluster; n2 waits for east: no connection to its etcd after 0 failures (the agent gives no reason)",
        "30 s  west: 2 of 2 agents see every other cluster",
      ]
    `);
});

test("restarts an agent that stays behind, and says so", async () => {
    const { run, lines, restarts } = lab((agent, _, restarted) =>
        agent.cluster === "west" && agent.node === "n2" && restarted === 0 ? behind(agent) : well(agent),
    );
    await run();
    expect([...restarts]).toEqual([["west/n2", 1]]);
    expect(lines.filter((line) => line.includes("restarting"))).toMatchInlineSnapshot(`
      [
        "60 s  west: restarting the agent of n2, which stayed behind for 60 s (1 of 2)",
      ]
    `);
});

test("gives up in time, after two restarts, with who, why and what to do", async () => {
    const { run, restarts, seconds } = lab((agent) => (agent.cluster === "west" && agent.node === "n2" ? behind(agent) : well(agent)));
    const error = await run().catch((error) => error);
    expect(error.message).toMatchInlineSnapshot(`
      "the mesh is not ready after 300 s:
      ✖ west, agent of n2: east: no connection to its etcd after 0 failures (the agent gives no reason)
        it was restarted 2 times
        try: kubectl -n kube-system exec cilium-n2 -c cilium-agent -- cilium-dbg troubleshoot clustermesh east
      run \`pulumi up\` again to go on waiting; nothing that was made is lost"
    `);
    expect([...restarts]).toEqual([["west/n2", 2]]);
    expect(seconds()).toBe(300);
});

test("a node without an agent is no ready mesh", async () => {
    await expect(lab(well, ["n1"]).run()).rejects.toThrow("east: 1 of 2 nodes have no running agent");
});

test("an API server that cannot be asked is waited for, then told", async () => {
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
        "east: its API server cannot be asked: connect ECONNREFUSED",
    );
});
