import { beforeAll, expect, test } from "vitest";
import { cachedEntry, directEntry, etcdClientFiles, kvstoremeshEntry } from "../../../../core/cilium/clustermesh-config.ts";
import { laggingPeers } from "../../../../core/cilium/readiness.ts";
import { issueCertificates } from "../../../../tests/stacks/issue.ts";
import { type AgentView, type Etcd, simulatedAgentStatus, type World } from "../../nodes-simulated/simulated-agent.ts";

type Files = Record<string, Record<string, string>>;

const SERVER = "clustermesh-apiserver-server-cert";
const REMOTE = "clustermesh-apiserver-remote-cert";
const WEST = "10.2.0.16";

let west: Files;
let east: Files;
beforeAll(async () => {
    [west, east] = [(await issueCertificates("west")).files, (await issueCertificates("east")).files];
});

const etcd = (of: Files, cluster = "west"): Etcd => ({
    cluster,
    certificate: of[SERVER]?.["tls.crt"] ?? "",
    clientCa: of[SERVER]?.["ca.crt"] ?? "",
});
const world = (answer: Etcd | { dropped: string }): World => ({
    dial: async (_, to, port) => (to === WEST && port === 2379 ? answer : { dropped: `nothing listens on ${to}:${port}` }),
});

/** An agent of east whose peer is west. */
function view(over: Partial<AgentView> = {}, client = west[REMOTE]): AgentView {
    const names = etcdClientFiles("west");
    const material = {
        [names.ca]: client?.["ca.crt"] ?? "",
        [names.cert]: client?.["tls.crt"] ?? "",
        [names.key]: client?.["tls.key"] ?? "",
    };
    return {
        cluster: "east",
        address: "10.1.0.5",
        clustermesh: { west: directEntry("west"), ...material },
        kvstoremesh: { west: kvstoremeshEntry("west", [WEST]), ...material },
        hostAliases: [{ ip: WEST, hostnames: ["west.mesh.cilium.io"] }],
        ...over,
    };
}

const why = async (agent: AgentView, network: World) => laggingPeers(await simulatedAgentStatus(agent, network), ["west"])[0]?.why;

test("an agent with a path and valid certificates is connected, in a form that the gate reads", async () => {
    expect(await why(view(), world(etcd(west)))).toBeUndefined();
});

test("with KVStoreMesh it sees the peers that its kvstoremesh reaches, without host aliases", async () => {
    expect(await why(view({ clustermesh: { west: cachedEntry() }, hostAliases: [] }), world(etcd(west)))).toBeUndefined();
    expect(await why(view({ clustermesh: { west: cachedEntry() }, kvstoremesh: {} }), world(etcd(west)))).toContain(
        "west is not in the Secret cilium-kvstoremesh",
    );
});

test("reports each failure in Cilium's words", async () => {
    expect(await why(view({ clustermesh: {} }), world(etcd(west)))).toContain("not configured");
    expect(await why(view({ hostAliases: [] }), world(etcd(west)))).toContain("lookup west.mesh.cilium.io: no such host");
    expect(await why(view(), world({ dropped: "no route in rtb-1" }))).toContain(
        "dial tcp 10.2.0.16:2379: i/o timeout (no route in rtb-1)",
    );
    expect(await why(view(), world(etcd(east, "west")))).toContain("certificate signed by unknown authority");
    expect(await why(view(), world(etcd(west, "north")))).toContain("answers as north");
    expect(await why(view({}, { ...west[REMOTE], "tls.crt": east[REMOTE]?.["tls.crt"] ?? "" }), world(etcd(west)))).toContain(
        "unknown certificate authority",
    );
    expect(await why(view({}, west["clustermesh-apiserver-local-cert"]), world(etcd(west)))).toContain(
        "permission denied (user CN=local-west)",
    );
});
