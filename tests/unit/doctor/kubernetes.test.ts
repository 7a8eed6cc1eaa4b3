import { expect, test } from "vitest";
import { KubernetesEvidence } from "../../../core/doctor/evidence.ts";
import type { Depth } from "../../../core/doctor/fetch.ts";
import type { Clients } from "../../../kubernetes/clients.ts";
import { kubernetesEvidence } from "../../../kubernetes/evidence.ts";
import { member } from "../../members.ts";

const CLUSTER = member(1);
const NODES = new Map([
    ["c1", ["n1"]],
    ["c2", ["n2"]],
]);
const notFound = () => Promise.reject(Object.assign(new Error("not found"), { code: 404 }));

/** Answers of the API server by the client's method, and of commands in the agent. Everything else is not found. */
function fakeClients(
    answers: Record<string, (request: { name?: string; _continue?: string }) => unknown>,
    exec: (command: string) => string,
) {
    const calls: string[] = [];
    const api = new Proxy(
        {},
        {
            get:
                (_, method: string) =>
                async (request: { name?: string } = {}) => {
                    calls.push([method, ...(request.name ? [request.name] : [])].join(" "));
                    return answers[method] ? answers[method](request) : notFound();
                },
        },
    );
    const clients = {
        client: () => api,
        exec: async (_: string, __: object, command: string[]) => {
            calls.push(command.join(" "));
            return exec(command.join(" "));
        },
    };
    return { clients: clients as unknown as Clients, calls };
}

const pod = (name: string, over: object = {}) => ({
    metadata: { name, namespace: "shop", uid: name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { nodeName: "n1", containers: [{ name: "cilium-agent", image: "quay.io/cilium/cilium:v1.20.2@sha256:abc" }] },
    status: { conditions: [{ type: "Ready", status: "True" }], startTime: "2026-01-01T00:00:01Z" },
    ...over,
});

/** A cluster with one agent, which is not connected to c2 and does not know its node. */
function cluster() {
    return fakeClients(
        {
            getCode: () => ({ gitVersion: "v1.35.2" }),
            readNamespacedConfigMap: ({ name }) =>
                name === "cilium-config" ? { data: { "cluster-id": "1", "some-other-key": "x" } } : notFound(),
            readNamespacedDaemonSet: ({ name }) =>
                name === "cilium"
                    ? { spec: { template: { spec: {} } }, status: { desiredNumberScheduled: 1, numberReady: 1, updatedNumberScheduled: 1 } }
                    : {
                          spec: {
                              template: {
                                  spec: {
                                      containers: [
                                          {
                                              name: "aws-node",
                                              env: [
                                                  { name: "AWS_VPC_K8S_CNI_EXTERNALSNAT", value: "true" },
                                                  { name: "PATH", value: "/" },
                                              ],
                                          },
                                      ],
                                  },
                              },
                          },
                      },
            listNamespacedPod: () => ({ items: [pod("cilium-a"), pod("cilium-b", { metadata: { deletionTimestamp: "2026-01-01" } })] }),
            // Two pages.
            listPodForAllNamespaces: ({ _continue }) =>
                _continue
                    ? { items: [pod("managed")], metadata: {} }
                    : { items: [pod("unmanaged"), pod("host", { spec: { hostNetwork: true } })], metadata: { _continue: "page2" } },
            listClusterCustomObject: () => ({ items: [{ metadata: { namespace: "shop", name: "managed" } }] }),
        },
        (command) => {
            if (command.startsWith("cilium-dbg status")) return JSON.stringify({ "identity-range": { "min-identity": 65536 } });
            if (command.startsWith("cilium-dbg node list")) return JSON.stringify([{ name: "c1/n1" }]);
            if (command.startsWith("cilium-dbg troubleshoot")) return "❌ no such host";
            throw new Error("command terminated with exit code 1");
        },
    );
}

const gather = (clients: Clients, depth: Depth) =>
    kubernetesEvidence(clients, { cluster: CLUSTER, peers: ["c2"], authorities: [], nodes: NODES, depth });

test("doctor's evidence of a cluster has every part, and the reason where one cannot be read", async () => {
    const { clients } = cluster();
    const evidence = await gather(clients, "doctor");
    expect(KubernetesEvidence.parse(evidence)).toEqual(evidence);
    expect(evidence).toMatchObject({
        version: { value: "v1.35.2" },
        config: { value: { "cluster-id": "1" } },
        daemonSet: { value: { desired: 1, ready: 1, updated: 1, aliases: [] } },
        apiserver: { value: null },
        vpcCni: { value: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "true" } },
        pods: { value: { all: 2, unmanaged: [{ pod: "shop/unmanaged", node: "n1", since: "2026-01-01T00:00:01.000Z", owner: "" }] } },
        peers: { value: null },
        remoteUsers: { value: false },
    });
    expect(Object.values(evidence.material)).toEqual(Array(4).fill({ value: null }));
    expect(evidence.config).toEqual({ value: { "cluster-id": "1" } });
    expect(evidence.agents).toMatchObject({
        value: [
            {
                node: "n1",
                pod: "cilium-a",
                ready: true,
                version: "1.20.2",
                lagging: { value: [{ peer: "c2", trouble: "no such host" }] },
                ids: { value: { own: 1, peers: {} } },
                nodes: { value: { missing: ["c2/n2"], stale: [] } },
                health: { unknown: "command terminated with exit code 1" },
            },
        ],
    });
});

test("status reads neither Secrets, pods nor node lists, and does not run troubleshoot", async () => {
    const { clients, calls } = cluster();
    const evidence = await gather(clients, "status");
    expect(KubernetesEvidence.parse(evidence)).toEqual(evidence);
    expect(calls.toSorted()).toEqual([
        "cilium-dbg status -o json",
        "getCode",
        "listNamespacedPod",
        "readNamespacedConfigMap cilium-config",
        "readNamespacedDaemonSet cilium",
        "readNamespacedDeployment clustermesh-apiserver",
    ]);
});

test("an API server that does not answer gives one reason for every part, after a single request", async () => {
    const { clients, calls } = fakeClients({ getCode: () => Promise.reject(new Error("connect ECONNREFUSED")) }, () => "");
    const evidence = await gather(clients, "doctor");
    expect(KubernetesEvidence.parse(evidence)).toEqual(evidence);
    const { material, ...parts } = evidence;
    for (const part of [...Object.values(parts), ...Object.values(material)]) expect(part).toEqual({ unknown: "connect ECONNREFUSED" });
    expect(calls).toEqual(["getCode"]);
});
