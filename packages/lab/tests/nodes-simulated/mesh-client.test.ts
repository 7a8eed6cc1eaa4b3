import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppsV1Api } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { directEntry, etcdClientFiles, kvstoremeshEntry } from "../../../../core/cilium/clustermesh-config.ts";
import { laggingPeers } from "../../../../core/cilium/readiness.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { causeOf, nodeList } from "../../nodes-simulated/agent-commands.ts";
import { MeshClient } from "../../nodes-simulated/mesh-client.ts";
import { agentStatus } from "../../nodes-simulated/remote-clusters.ts";
import { whyNoSandbox } from "../../nodes-simulated/sandbox.ts";
import { until } from "../../process/until.ts";
import { ciliumSources } from "../../tools/cilium.ts";
import { ensureTools } from "../../tools/tools.ts";
import { BUILD_TIMEOUT, temporaryFolder, testCluster, testNode, tools, whyNoGo } from "../harness.ts";
import { type Files, meshCluster } from "./mesh-clusters.ts";

const REMOTE = "clustermesh-apiserver-remote-cert";
const LOCAL = "clustermesh-apiserver-local-cert";
const ELSEWHERE = "west.example.org";
/** An address that no interface of this machine has. */
const WEST = "10.2.0.16";
const TIMEOUT = 60_000;

const why = (await whyNoGo()) ?? (await whyNoSandbox());
if (why) console.warn(`skipped: ${why}`);

describe.skipIf(why)("the mesh's real client without root", { timeout: 300_000 }, () => {
    let folder: string;
    let west: Awaited<ReturnType<typeof meshCluster>>;
    let east: Awaited<ReturnType<typeof meshCluster>>;
    const clusters: Cluster[] = [];
    const clients = new Map<string, MeshClient>();
    /** Whether connections from east's client to west's address lead to west. */
    let open = true;

    /** What east's client sees of west. */
    const seen = async () => {
        const replica = clients.get("east")?.replica();
        return (await replica?.remoteClusters())?.find(({ name }) => name === "west");
    };
    const ready = () => until(async () => (await seen())?.ready === true || undefined, TIMEOUT, "east does not see west");
    const cause = async () => {
        const replica = clients.get("east")?.replica();
        return replica && causeOf(replica, "west");
    };
    const lost = async (because: string) => {
        await until(async () => (await seen())?.connected === false || undefined, TIMEOUT, "east still sees west");
        await until(async () => (await cause())?.includes(because) || undefined, TIMEOUT, `"${because}" was not reported`).catch(
            async (error) => {
                throw new Error(`${error.message}; the cause is "${await cause()}"`);
            },
        );
    };
    let revision = 0;
    /**
     * Writes west's files into a Secret of east. Clients reconnect when the peer's file changes, and do not read its certificates before.
     */
    const putWest = async (secret: string, entry: string, client: Files = west.files[REMOTE] ?? {}) => {
        const names = etcdClientFiles("west");
        const { "ca.crt": ca = "", "tls.crt": cert = "", "tls.key": key = "" } = client;
        revision += 1;
        await east.putSecret(secret, { west: `${entry}# ${revision}\n`, [names.ca]: ca, [names.cert]: cert, [names.key]: key });
    };

    beforeAll(async () => {
        folder = await temporaryFolder();
        await tools();
        const programs = {
            ...(await ensureTools(["etcd", "clustermesh-apiserver", "cilium-dbg", "netd"], { log: console.log })),
            "cilium-sources": await ciliumSources(),
        };
        clusters.push(...(await Promise.all(["west", "east"].map((name) => testCluster(name, join(folder, name))))));
        const [first, second] = clusters;
        if (!first || !second) throw new Error("no clusters were started");
        await Promise.all([first.addNodes([testNode(1), testNode(2)]), second.addNodes([testNode(3), testNode(4)])]);
        west = await meshCluster(first, 1, join(folder, "w"));
        east = await meshCluster(second, 2, join(folder, "e"));
        for (const { name, config } of [west, east]) {
            const lead = (address: string) => (open && address === WEST ? clients.get("west")?.replica()?.etcd : undefined);
            const options = { name, config, serviceCidr: "172.20.0.0/16", programs, lead, log: console.log };
            clients.set(name, new MeshClient({ ...options, folder: join(folder, "mesh", name) }));
        }
        await Promise.all([west.install(false), east.install(false)]);
    }, BUILD_TIMEOUT);

    afterAll(async () => {
        await Promise.all([...clients.values()].map((client) => client.stop()));
        await Promise.all(clusters.map((cluster) => cluster.destroy()));
        if (folder) await rm(folder, { recursive: true, force: true });
    });

    test("with direct wiring it reads the Secret, dials the host alias, and reads the peer's nodes", async () => {
        await putWest("cilium-clustermesh", directEntry("west"));
        await lost("no such host");
        await east.putHostAliases([{ ip: WEST, hostnames: ["west.mesh.cilium.io", ELSEWHERE] }]);
        await ready();
        expect(await seen()).toMatchObject({
            config: { required: true, retrieved: true, "cluster-id": 1 },
            synced: { nodes: true, endpoints: true, identities: true, services: true },
            "num-nodes": 2,
        });
        const replica = clients.get("east")?.replica();
        const names = async () => replica && JSON.parse(await nodeList(replica)).map(({ name }: { name: string }) => name);
        // The nodes of its own cluster come from its API server, on another path.
        await until(async () => (await names())?.length === 4 || undefined, 30_000, "not all nodes are listed");
        expect((await names())?.toSorted()).toEqual(
            [1, 2, 3, 4].map((index) => `${index < 3 ? "west" : "east"}/${testNode(index).name}`).toSorted(),
        );
    });

    test("a connection hangs while the path is closed, and goes through once it opens", async () => {
        open = false;
        await putWest("cilium-clustermesh", directEntry("west"));
        await lost("context deadline exceeded");
        open = true;
        await ready();
    });

    const wrong: [string, () => Promise<void>, string][] = [
        [
            "a CA that did not sign the peer's certificate",
            () =>
                putWest("cilium-clustermesh", directEntry("west"), {
                    ...west.files[REMOTE],
                    "ca.crt": east.files[REMOTE]?.["ca.crt"] ?? "",
                }),
            "certificate signed by unknown authority",
        ],
        [
            "a name that is not in the peer's certificate",
            () => putWest("cilium-clustermesh", directEntry("west").replace("west.mesh.cilium.io", ELSEWHERE)),
            `certificate is valid for`,
        ],
        [
            "a client certificate of another CA",
            () =>
                putWest("cilium-clustermesh", directEntry("west"), {
                    ...east.files[REMOTE],
                    "ca.crt": west.files[REMOTE]?.["ca.crt"] ?? "",
                }),
            "client certificate is not signed by any acceptable CA",
        ],
    ];
    test.each(wrong)("%s is reported in Cilium's words", async (_, spoil, because) => {
        await spoil();
        await lost(because);
        await putWest("cilium-clustermesh", directEntry("west"));
        await ready();
    });

    test("a user without read permission is connected and gets no data", async () => {
        await putWest("cilium-clustermesh", directEntry("west"), west.files[LOCAL]);
        const refused = async () =>
            (await readFile(join(folder, "mesh/east/1/kvstoremesh.log"), "utf8")).includes("etcdserver: permission denied");
        await until(async () => (await refused()) || undefined, TIMEOUT, "etcd did not refuse the user");
        const remote = await seen();
        expect(remote).toMatchObject({ connected: true, config: { retrieved: true } });
        const why = laggingPeers(agentStatus([{ name: "west", remote }]), ["west"])[0]?.why;
        expect(why).toBe("connected, synchronization in progress for nodes, endpoints, identities, services");
        await putWest("cilium-clustermesh", directEntry("west"));
        await ready();
    });

    test("with KVStoreMesh the pod's own kvstoremesh reads its Secret, and names need no host alias", async () => {
        await Promise.all([west.install(true), east.install(true)]);
        await east.putHostAliases([]);
        await until(
            async () => clients.get("east")?.replica()?.kvstoreMesh || undefined,
            TIMEOUT,
            "the release with KVStoreMesh does not run",
        );
        await until(async () => (await seen()) === undefined || undefined, TIMEOUT, "it read west from the agents' Secret");
        await putWest("cilium-kvstoremesh", kvstoremeshEntry("west", [WEST]));
        await ready();
        expect(await seen()).toMatchObject({ "num-nodes": 2 });
    });

    test("stops with the release, and starts again with it", async () => {
        for (const { config } of [west, east]) {
            const apps = config.makeApiClient(AppsV1Api);
            await apps.deleteNamespacedDeployment({ name: "clustermesh-apiserver", namespace: "kube-system" });
        }
        const gone = async () => [...clients.values()].every((client) => client.replica() === undefined) || undefined;
        await until(gone, TIMEOUT, "it still runs");
        await Promise.all([west.install(true), east.install(true)]);
        await ready();
    });
});
