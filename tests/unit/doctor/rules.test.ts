import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { diagnose, isWell, RULES } from "../../../core/doctor/diagnose.ts";
import { type ClusterEvidence, Evidence, type Known, type PeersEvidence } from "../../../core/doctor/evidence.ts";

/** What `doctor --evidence` wrote of the lab's two sample clusters, with real agents, when all was well. */
const RECORDED = readFileSync(new URL("../recorded/healthy-mesh.json", import.meta.url), "utf8");
const OTHER = "192.168.0.0/16";

/** The recorded mesh, broken. */
interface Broken {
    evidence: Evidence;
    one: ClusterEvidence;
    two: ClusterEvidence;
}

function mesh(change: (broken: Broken) => void = () => {}): Evidence {
    const evidence = Evidence.parse(JSON.parse(RECORDED));
    const [one, two] = evidence.clusters;
    if (!one || !two) throw new Error("the record holds fewer than two clusters");
    change({ evidence, one, two });
    return Evidence.parse(JSON.parse(JSON.stringify(evidence)));
}

function of<T>(part: Known<T | null> | undefined): T {
    if (!part || !("value" in part) || part.value === null) throw new Error("the record has none");
    return part.value;
}

const found = (evidence: Evidence) => diagnose(evidence).flatMap(({ id, findings }) => findings.map((finding) => ({ id, ...finding })));

const days = (evidence: Evidence, count: number) => new Date(Date.parse(evidence.gatheredAt) + count * 86_400_000).toISOString();
const agents = (cluster: ClusterEvidence) => of(cluster.kubernetes.agents);
const config = (cluster: ClusterEvidence) => of(cluster.kubernetes.config);
const entry = (cluster: ClusterEvidence, peer: string) => {
    const told = of<PeersEvidence>(cluster.kubernetes.peers).peers[peer];
    if (!told) throw new Error(`no entry for ${peer}`);
    return told;
};
const server = ({ kubernetes }: ClusterEvidence) => of(kubernetes.material["clustermesh-apiserver-server-cert"]);
const behind = (cluster: ClusterEvidence, peer: string, why: string, trouble?: string) => {
    for (const agent of agents(cluster)) agent.lagging = { value: [{ peer, why, ...(trouble && { trouble }) }] };
};

/** The two join a Transit Gateway each, of two regions. */
const overTransitGateways = ({ evidence, one, two }: Broken) => {
    const [mesh] = evidence.meshes;
    if (!mesh) throw new Error("the record has no mesh");
    Object.assign(two.facts, { region: "us-east-1" });
    Object.assign(mesh, { network: "transit-gateway", connections: { "eu-central-1": "tgw-1", "us-east-1": "tgw-2" } });
    for (const [cluster, gateway] of [
        [one, "tgw-1"],
        [two, "tgw-2"],
    ] as const) {
        cluster.aws.connections = { value: { [gateway]: "available" } };
        for (const route of of(cluster.aws.routes)) if (route.target.startsWith("pcx-")) route.target = gateway;
    }
};

/** kvstoremesh dials in the first cluster. */
const byKvstoreMesh = ({ one, two }: Broken) => {
    Object.assign(one.facts, { wiring: "kvstoremesh" });
    of(one.kubernetes.apiserver).containers.push("kvstoremesh");
    of(one.kubernetes.daemonSet).aliases = [];
    entry(one, "cluster2").aliases = [{ hostname: "cluster2.mesh.cilium.io", ips: [...two.facts.etcd.addresses] }];
    const endpoints = ["https://clustermesh-apiserver.kube-system.svc:2379"];
    one.kubernetes.cached = { value: { peers: { cluster2: { endpoints, aliases: [], ca: [], client: null, keyFits: false } } } };
};

test.each<[string, (broken: Broken) => void]>([
    ["as recorded", () => {}],
    ["over Transit Gateways of two regions", overTransitGateways],
    ["dialled by kvstoremesh", byKvstoreMesh],
    [
        "with a route that holds more than the peer",
        ({ one }) => {
            for (const route of of(one.aws.routes)) if (route.destination === OTHER) route.destination = "192.0.0.0/8";
        },
    ],
    [
        "with source NAT that leaves the peers out",
        ({ one }) => {
            one.kubernetes.vpcCni = {
                value: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false", AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "10.0.0.0/8,192.168.0.0/16" },
            };
        },
    ],
    [
        "with a pod that has just been started",
        ({ evidence, one }) => {
            of(one.kubernetes.pods).unmanaged.push({ pod: "default/new", node: "a", since: days(evidence, -29 / 86_400), owner: "" });
        },
    ],
    [
        "with a health check that failed while the other node's agent was starting",
        ({ one, two }) => {
            const [near, far] = [agents(one)[0], agents(two)[0]];
            if (near && far)
                near.health = { value: [{ node: `cluster2/${far.node}`, probe: "tcp/4240", why: "connection refused", at: far.started }] };
        },
    ],
    [
        "with a node that is just joining the load balancer's targets",
        ({ one }) => {
            of(one.aws.balancer).targets.push({ id: "i-1", state: "initial" });
        },
    ],
    [
        "with ports instead of all traffic, and rules for them",
        ({ evidence: { meshes, clusters } }) => {
            for (const one of meshes) one.ingress = [{ protocol: "tcp", fromPort: 443, toPort: 443 }];
            for (const { aws } of clusters) {
                const rules = of(aws.rules);
                const [open] = rules.filter(({ protocol }) => protocol === "-1");
                if (!open) throw new Error("the record admits nothing");
                const { group, source } = open;
                open.protocol = "tcp";
                rules.push({ group, source, protocol: "icmp", fromPort: -1, toPort: -1 });
                Object.assign(open, { fromPort: 1, toPort: 8080 });
            }
        },
    ],
])("nothing is found in a healthy mesh %s", (_, change) => {
    expect(found(mesh(change))).toEqual([]);
});

test("the record holds neither keys nor tokens, and every rule can judge it but the one whose program the lab lacks", () => {
    expect(RECORDED).not.toMatch(/PRIVATE KEY|BEGIN CERTIFICATE|[Tt]oken|kubeconfig/);
    expect(
        diagnose(mesh())
            .filter(({ unseen }) => unseen.length > 0)
            .map(({ id }) => id),
    ).toEqual([]);
    expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
});

/** The rule, how the mesh is broken, whom it is about, and what it says. Nothing else must be found but the consequences that are named last. */
const FAILURES: [string, (broken: Broken) => void, string, RegExp, string[]?][] = [
    ["stack-absent", ({ evidence: { stacks } }) => void delete stacks[0]?.last, "cluster1", /never run/],
    [
        "stack-absent",
        ({ evidence }) => {
            for (const one of evidence.stacks) if (one.kind === "mesh" && one.last) Object.assign(one.last, { kind: "destroy" });
            evidence.meshes = [];
        },
        "mesh",
        /destroyed on 2026/,
    ],
    [
        "stack-failed",
        ({ evidence: { stacks } }) => void Object.assign(stacks[0]?.last ?? {}, { result: "failed" }),
        "cluster1",
        /update ended with "failed"/,
    ],
    ["stack-interrupted", ({ evidence: { stacks } }) => void stacks[2]?.pending.push("Secret a"), "mesh", /in doubt: Secret a/],
    ["stack-locked", ({ evidence: { stacks } }) => void Object.assign(stacks[1] ?? {}, { locked: true }), "cluster2", /locked/],
    [
        "stack-unreadable",
        ({ evidence: { stacks } }) => void Object.assign(stacks[1] ?? {}, { unreadable: "contract 0" }),
        "cluster2",
        /contract 0/,
    ],
    [
        "mesh-outdated",
        ({ evidence: { meshes } }) => void meshes[0]?.outdated.push({ stack: "cluster3", what: "not joined yet" }),
        "mesh",
        /cluster3: not joined/,
    ],
    [
        "kubernetes-silent",
        ({ one }) => {
            one.kubernetes.pods = { unknown: "pods is forbidden (HTTP 403)" };
        },
        "cluster1",
        /pods is forbidden/,
    ],
    [
        "aws-silent",
        ({ two }) => {
            two.aws.routes = { unknown: "An error occurred (ExpiredToken)" };
            two.aws.rules = { unknown: "An error occurred (ExpiredToken)" };
        },
        "cluster2",
        /ExpiredToken/,
    ],

    [
        "connection-inactive",
        ({ evidence: { meshes }, one, two }) => {
            const id = Object.values(meshes[0]?.connections ?? {})[0] ?? "";
            one.aws.connections = { value: { [id]: "deleted" } };
            two.aws.connections = { value: {} };
            for (const { aws } of [one, two]) for (const route of of(aws.routes)) if (route.target === id) route.state = "blackhole";
        },
        "cluster1 ↔ cluster2",
        /is deleted, not active/,
    ],
    [
        "connection-inactive",
        (broken) => {
            overTransitGateways(broken);
            broken.one.aws.connections = { value: { "tgw-1": "pendingAcceptance" } };
        },
        "cluster1",
        /attachment of vpc-.* to tgw-1 is pendingAcceptance/,
    ],
    [
        "route-missing",
        ({ one }) => {
            const routes = of(one.aws.routes);
            routes.splice(
                routes.findIndex(({ destination }) => destination === OTHER),
                1,
            );
        },
        "cluster1 → cluster2",
        /table rtb-\w+ leads packets for 192.168.0.0\/16 by 0.0.0.0\/0 to (nat|igw)-\w+, not to pcx-/,
    ],
    [
        "route-missing",
        ({ one }) => {
            const route = of(one.aws.routes).find(({ destination }) => destination === OTHER);
            Object.assign(route ?? {}, { state: "blackhole" });
        },
        "cluster1 → cluster2",
        /\(blackhole\), not to pcx-/,
    ],
    [
        "route-missing",
        ({ two }) => {
            const routes = of(two.aws.routes);
            const { table = "" } = routes.find(({ destination }) => destination === "10.248.0.0/18") ?? {};
            routes.push({ table, destination: "10.248.16.0/20", target: "tgw-9", state: "active" });
        },
        "cluster2 → cluster1",
        /by 10\.248\.16\.0\/20 to tgw-9, not to pcx-/,
    ],
    [
        "route-missing",
        ({ one }) => {
            one.aws.routes = { value: of(one.aws.routes).filter(({ destination }) => destination === "10.248.0.0/18") };
        },
        "cluster1 → cluster2",
        /leads packets for 192\.168\.0\.0\/16 nowhere, not to pcx-/,
    ],
    [
        "stack-locked",
        ({ evidence: { stacks } }) => void Object.assign(stacks[1]?.last ?? {}, { result: "in-progress" }),
        "cluster2",
        /locked/,
    ],
    [
        "ingress-missing",
        ({ one }) => {
            one.aws.rules = { value: of(one.aws.rules).filter(({ protocol }) => protocol !== "tcp") };
        },
        "cluster2 → cluster1",
        /does not admit tcp\/2379 from 192.168.0.0\/16/,
    ],
    [
        "ingress-missing",
        ({ one }) => {
            for (const rule of of(one.aws.rules)) if (rule.protocol === "-1") rule.source = "192.168.0.0/17";
        },
        "cluster2 → cluster1",
        /does not admit all traffic from 192.168.0.0\/16/,
    ],
    [
        "balancer-missing",
        ({ one }) => {
            one.aws.balancer = { value: null };
        },
        "cluster1",
        /no load balancer has the security group sg-/,
    ],
    ["balancer-missing", ({ one }) => void Object.assign(of(one.aws.balancer), { state: "failed" }), "cluster1", /is failed, not active/],
    ["balancer-missing", ({ one }) => void of(one.aws.balancer).addresses.splice(0, 1, "10.248.0.77"), "cluster1", /not 10.248.0.16$/],
    [
        "targets-unhealthy",
        ({ two }) => void Object.assign(of(two.aws.balancer).targets[0] ?? {}, { state: "unhealthy", reason: "Health checks failed" }),
        "cluster2",
        /1 of 3 targets .*unhealthy \(Health checks failed\)/,
    ],
    ["targets-unhealthy", ({ two }) => void of(two.aws.balancer).targets.splice(0), "cluster2", /has no targets/],
    [
        "source-nat",
        ({ one }) => {
            one.kubernetes.vpcCni = {
                value: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false", AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "10.0.0.0/8, 192.168.0.0/17" },
            };
        },
        "cluster1",
        /EXTERNALSNAT is false, .*10.0.0.0\/8, 192.168.0.0\/17\) leaves out 192.168.0.0\/16/,
    ],
    [
        "mtu-too-large",
        ({ one, two }) => {
            Object.assign(two.facts, { region: "us-east-1" });
            config(one).mtu = "9001";
        },
        "cluster1",
        /mtu of cilium-config is 9001/,
    ],
    [
        "mtu-too-large",
        (broken) => {
            overTransitGateways(broken);
            of(broken.two.kubernetes.vpcCni).AWS_VPC_ENI_MTU = "9001";
        },
        "cluster2",
        /AWS_VPC_ENI_MTU is 9001/,
    ],

    [
        "secret-missing",
        ({ one }) => {
            one.kubernetes.material["clustermesh-apiserver-local-cert"] = { value: null };
        },
        "cluster1",
        /Secret clustermesh-apiserver-local-cert is not there/,
    ],
    [
        "secret-missing",
        ({ one }) => {
            one.kubernetes.remoteUsers = { value: false };
        },
        "cluster1",
        /ConfigMap clustermesh-remote-users/,
    ],
    [
        "secret-missing",
        ({ two }) => {
            two.kubernetes.peers = { value: null };
        },
        "cluster2",
        /Secret cilium-clustermesh is not there/,
    ],
    ["peer-entry", ({ one }) => void delete of(one.kubernetes.peers).peers.cluster2, "cluster1", /no entry for cluster2/],
    [
        "peer-entry",
        ({ one }) => void Object.assign(of(one.kubernetes.peers).peers, { gone: entry(one, "cluster2") }),
        "cluster1",
        /an entry for gone, which is no member/,
    ],
    [
        "peer-entry",
        ({ one }) => {
            entry(one, "cluster2").endpoints = ["https://10.0.0.1:2379"];
        },
        "cluster1",
        /leads to https:\/\/10.0.0.1:2379, not to https:\/\/cluster2.mesh.cilium.io:2379/,
    ],
    [
        "peer-entry",
        (broken) => {
            byKvstoreMesh(broken);
            broken.one.kubernetes.cached = { value: { refused: "Cilium would refuse this", peers: {} } };
        },
        "cluster1",
        /cilium-clustermesh: Cilium would refuse this/,
    ],
    [
        "host-aliases",
        ({ one }) => {
            of(one.kubernetes.daemonSet).aliases.splice(0, 1, { ip: "192.168.0.99", hostnames: ["cluster2.mesh.cilium.io"] });
        },
        "cluster1 → cluster2",
        /hostAliases of the DaemonSet cilium lacks 192.168.0.16 and leads to 192.168.0.99/,
    ],
    [
        "host-aliases",
        (broken) => {
            byKvstoreMesh(broken);
            entry(broken.one, "cluster2").aliases = [];
        },
        "cluster1 → cluster2",
        /the entry of cilium-kvstoremesh lacks 192.168.0.16/,
    ],
    [
        "peer-ca",
        ({ one }) => {
            entry(one, "cluster2").ca = one.published.ca;
        },
        "cluster1 → cluster2",
        /is [0-9a-f]{16} \(Cilium CA cluster1\), the peer's is [0-9a-f]{16}/,
    ],
    [
        "client-certificate",
        ({ one }) => {
            entry(one, "cluster2").client = one.published.client[0] ?? null;
        },
        "cluster1 → cluster2",
        /not signed by the CA of cluster2/,
    ],
    [
        "client-certificate",
        ({ one }) => void Object.assign(entry(one, "cluster2").client ?? {}, { subject: "somebody" }),
        "cluster1 → cluster2",
        /for the user "somebody", not "remote"/,
    ],
    [
        "client-certificate",
        ({ one }) => {
            entry(one, "cluster2").keyFits = false;
        },
        "cluster1 → cluster2",
        /its key is another one's/,
    ],
    [
        "server-certificate",
        ({ two }) => void Object.assign(server(two).certificate, { names: ["clustermesh-apiserver.kube-system.svc"] }),
        "cluster2",
        /not for cluster2.mesh.cilium.io/,
    ],
    [
        "server-certificate",
        ({ two }) => void Object.assign(server(two).certificate, { signedBy: null }),
        "cluster2",
        /not signed by the CA that the stack published/,
    ],
    [
        "server-certificate",
        ({ two }) => void Object.assign(server(two).certificate, { uses: ["client"] }),
        "cluster2",
        /may not be used by a server/,
    ],
    [
        "certificate-ends",
        ({ evidence, two }) => void Object.assign(server(two).certificate, { notAfter: days(evidence, 29) }),
        "cluster2",
        /"clustermesh-apiserver.kube-system.svc" \(clustermesh-apiserver-server-cert\) ends on/,
    ],
    [
        "certificate-ends",
        ({ evidence, two }) => void Object.assign(server(two).certificate, { notAfter: days(evidence, -1) }),
        "cluster2",
        /ended on/,
    ],
    [
        "certificate-ends",
        ({ evidence, two }) => void Object.assign(server(two).certificate, { notBefore: days(evidence, 1) }),
        "cluster2",
        /is valid from .* on only/,
    ],

    [
        "cluster-identity",
        ({ one }) => {
            config(one)["cluster-id"] = "7";
        },
        "cluster1",
        /cluster-id in cilium-config is 7, not 1/,
    ],
    [
        "cluster-identity",
        ({ one }) => {
            config(one)["cluster-name"] = "default";
        },
        "cluster1",
        /cluster-name in cilium-config is default, not cluster1/,
    ],
    [
        "cluster-identity",
        ({ one }) => {
            agents(one)[0] = { ...agents(one)[0], ids: { value: { own: 1, peers: { cluster2: 9 } } } } as never;
        },
        "cluster1 → cluster2",
        /know cluster2 by the id 9, not 2/,
    ],
    [
        "cluster-identity",
        ({ one, two }) => {
            Object.assign(two.facts, { id: 1 });
            config(two)["cluster-id"] = "1";
            for (const agent of agents(one)) agent.ids = { value: { peers: { cluster2: 1 } } };
        },
        "cluster1, cluster2",
        /all have the id 1/,
    ],
    [
        "cluster-identity",
        ({ one, two }) => {
            Object.assign(two.facts, { id: 200 });
            config(two)["cluster-id"] = "200";
            for (const agent of agents(one)) agent.ids = { value: { peers: { cluster2: 200 } } };
        },
        "cluster2",
        /its id is 200/,
    ],
    [
        "cluster-identity",
        ({ one }) => void Object.assign(agents(one)[0] ?? {}, { ids: { value: { own: 9, peers: { cluster2: 2 } } } }),
        "cluster1",
        /agents run with another id than 1: ip-10-248-\S+ with 9/,
    ],
    [
        "identity-mark",
        ({ one }) => void delete config(one)["enable-identity-mark"],
        "cluster1",
        /enable-identity-mark in cilium-config is not set, not false/,
    ],
    [
        "cilium-masquerade",
        ({ two }) => {
            config(two)["enable-ipv4-masquerade"] = "true";
        },
        "cluster2",
        /is true, not false/,
    ],
    [
        "datapath-changed",
        ({ two }) => {
            config(two)["routing-mode"] = "tunnel";
        },
        "cluster2",
        /routing-mode in cilium-config is tunnel, not native/,
    ],
    [
        "max-connected-clusters",
        ({ two }) => {
            config(two)["max-connected-clusters"] = "511";
        },
        "cluster2",
        /is 511, not 255/,
    ],
    [
        "policy-scope",
        ({ two }) => {
            config(two)["policy-default-local-cluster"] = "false";
        },
        "cluster2",
        /is false; true in cluster1/,
    ],
    [
        "policy-scope",
        ({ one, two }) => {
            for (const cluster of [one, two]) delete config(cluster)["policy-default-local-cluster"];
        },
        "cluster1",
        /is not set/,
    ],
    [
        "version-skew",
        ({ one }) => void Object.assign(agents(one)[0] ?? {}, { version: "1.20.1" }),
        "cluster1",
        /run Cilium 1.20.1 and 1.20.2/,
    ],
    [
        "version-skew",
        ({ one }) => {
            one.kubernetes.version = { value: "v1.34.7-eks-1234567" };
        },
        "mesh",
        /cluster1 runs Kubernetes v1.34.7-eks-1234567 and cluster2 v1.36/,
    ],

    [
        "pods-unmanaged",
        ({ evidence, one }) =>
            void of(one.kubernetes.pods).unmanaged.push({ pod: "shop/web", node: "a", since: days(evidence, -1), owner: "ReplicaSet web" }),
        "cluster1",
        /1 of \d+ pods .*: shop\/web on a \(ReplicaSet web\)/,
    ],
    ["agents-missing", ({ one }) => void Object.assign(of(one.kubernetes.daemonSet), { ready: 2 }), "cluster1", /2 of 3 agents are ready/],
    [
        "agents-missing",
        ({ one }) => void Object.assign(of(one.kubernetes.daemonSet), { updated: 1 }),
        "cluster1",
        /1 are as the DaemonSet has it/,
    ],
    [
        "agent-silent",
        ({ one }) =>
            void Object.assign(agents(one)[0] ?? {}, { lagging: { unknown: "cilium-dbg in cilium-abcde did not end within 20 s" } }),
        "cluster1",
        /did not end within 20 s/,
    ],
    [
        "apiserver-missing",
        ({ two }) => {
            two.kubernetes.apiserver = { value: null };
        },
        "cluster2",
        /no Deployment clustermesh-apiserver/,
    ],
    [
        "apiserver-missing",
        ({ two }) =>
            void Object.assign(of(two.kubernetes.apiserver), { ready: 1, waiting: ["clustermesh-apiserver-1/etcd CrashLoopBackOff"] }),
        "cluster2",
        /1 of 2 replicas .*etcd CrashLoopBackOff/,
    ],
    [
        "apiserver-missing",
        (broken) => {
            byKvstoreMesh(broken);
            of(broken.one.kubernetes.apiserver).containers.pop();
        },
        "cluster1",
        /and no kvstoremesh/,
    ],
    ["apiserver-single", ({ two }) => void Object.assign(of(two.kubernetes.apiserver), { ready: 1, replicas: 1 }), "cluster2", /1 replica/],
    [
        "etcd-refuses",
        ({ one }) => behind(one, "cluster2", "no connection to its etcd", "etcdserver: permission denied"),
        "cluster1 → cluster2",
        /permission denied/,
        ["peer-behind"],
    ],
    [
        "peer-behind",
        ({ one }) => behind(one, "cluster2", "connected, but its nodes are not here yet"),
        "cluster1 → cluster2",
        /3 of 3 agents: connected, but its nodes are not here yet/,
    ],
    [
        "nodes-unknown",
        ({ one }) => void Object.assign(agents(one)[0] ?? {}, { nodes: { value: { missing: ["cluster2/a"], stale: [] } } }),
        "cluster1",
        /lacks cluster2\/a/,
    ],
    [
        "health-failing",
        ({ one }) =>
            void Object.assign(agents(one)[0] ?? {}, {
                health: { value: [{ node: "cluster2/a", probe: "icmp", why: "Connection timed out", at: "2026-11-25T00:00:00Z" }] },
            }),
        "cluster1 → cluster2",
        /cluster2\/a, icmp, .*: Connection timed out/,
    ],
];

describe("what is broken is found, with whom and what, and nothing else:", () => {
    test.each(FAILURES)("%s", (id, change, subject, says, consequences = []) => {
        const all = found(mesh(change));
        const own = all.filter((one) => one.id === id);
        expect(own.map((one) => one.subject)).toContain(subject);
        expect(own.map((one) => one.found).join("\n")).toMatch(says);
        for (const { remedy } of own) expect(remedy.length).toBeGreaterThan(0);
        expect([...new Set(all.map((one) => one.id))].toSorted()).toEqual([id, ...consequences].toSorted());
    });

    test("every rule has been broken above", () => {
        expect(RULES.map(({ id }) => id).filter((id) => !FAILURES.some(([one]) => one === id))).toEqual([]);
    });
});

test("a symptom names the failures between the same clusters, and no others", () => {
    const rules = diagnose(
        mesh(({ evidence, one, two }) => {
            behind(one, "cluster2", "no connection to its etcd");
            entry(one, "cluster2").ca = one.published.ca;
            of(two.kubernetes.daemonSet).ready = 2;
            evidence.stacks[0]?.pending.push("Secret a");
        }),
    );
    expect(rules.find(({ id }) => id === "peer-behind")?.findings[0]?.because).toEqual(["peer-ca", "agents-missing"]);
    expect(isWell(rules)).toBe(false);
});

test("of a cluster that cannot be asked at all one finding is made, and the others are judged", () => {
    const why = "connect ECONNREFUSED 10.0.0.1:443";
    const rules = diagnose(
        mesh(({ one, two }) => {
            for (const key of Object.keys(one.kubernetes))
                if (key !== "material") Object.assign(one.kubernetes, { [key]: { unknown: why } });
            for (const key of Object.keys(one.kubernetes.material)) one.kubernetes.material[key] = { unknown: why };
            delete one.kubernetes.cached;
            of(two.kubernetes.apiserver).replicas = 1;
        }),
    );
    expect(
        rules.filter(({ findings }) => findings.length > 0).map(({ id, findings }) => [id, findings.map(({ subject }) => subject)]),
    ).toEqual([
        ["kubernetes-silent", ["cluster1"]],
        ["apiserver-single", ["cluster2"]],
    ]);
    expect(rules.find(({ id }) => id === "pods-unmanaged")?.unseen).toEqual([why]);
});
