import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../cluster/cluster.ts";
import { until } from "../../process/until.ts";
import { BUILD_TIMEOUT, temporaryFolder, testCluster, testNode, tools, whyNoGo } from "../harness.ts";
import { ciliumNode, ENDPOINT_SLICE, MESHED } from "./cilium-objects.ts";
import { CiliumPrograms, whyNoNamespaces } from "./cilium-programs.ts";

const WAIT = 60_000;
const reason = (await whyNoGo()) ?? (await whyNoNamespaces());

describe.skipIf(reason)("the stand-in for Cilium's clustermesh", { timeout: 180_000 }, () => {
    let folder: string;
    let east: Cluster;
    let cilium: CiliumPrograms;
    /** Write client configurations for a user, one function for the etcd of each replica. */
    let etcds: ((user: string) => Promise<string>)[];
    let peer: Awaited<ReturnType<typeof cilium.startKvstoremesh>>;

    beforeAll(async () => {
        folder = await temporaryFolder();
        await tools();
        east = await testCluster("east", join(folder, "cluster"));
        cilium = await CiliumPrograms.prepare(east, folder);
        await cilium.install("east", 1, "100.64.0.0/20");
        await cilium.startOperator("operator", "--enable-cilium-endpoint-slice");
        const objects = [1, 2, 3].map(ciliumNode);
        await until(() => cilium.apply(...objects, ...MESHED).then(() => true), WAIT, "the CRDs are not registered");
    }, BUILD_TIMEOUT);

    afterAll(async () => {
        await cilium?.stop();
        await east?.destroy();
        if (folder) await rm(folder, { recursive: true, force: true });
    });

    test("a peer's kvstoremesh reads what clustermesh writes", async () => {
        const started = await Promise.all([
            cilium.startMeshEtcd("east", "east-1"),
            cilium.startMeshEtcd("east", "east-2"),
            cilium.startMeshEtcd("west"),
        ]);
        const [first, , peerEtcd] = started;
        etcds = started.slice(0, 2);
        for (const [index, etcd] of etcds.entries()) {
            const { ready } = await cilium.startClustermesh("east", 1, await etcd("admin-east"), `clustermesh-${index + 1}`);
            await until(ready, WAIT, "clustermesh is not ready");
        }
        expect(await firstLine("clustermesh-1")).toContain("SIMULATED");
        peer = await cilium.startKvstoremesh("west", 2, await peerEtcd("admin-west"), "east", await first("remote"));

        const whole = async () => {
            const seen = await peer();
            return seen?.ready && seen["num-shared-services"] ? seen : undefined;
        };
        expect(await until(whole, WAIT, "the peer does not see everything")).toMatchObject({
            connected: true,
            ready: true,
            "num-nodes": 3,
            "num-identities": 1,
            "num-endpoints": 1,
            "num-shared-services": 1,
            config: { required: true, retrieved: true, "cluster-id": 1, "sync-canaries": true },
            synced: { nodes: true, services: true, identities: true, endpoints: true },
        });
        // The entries that the peer's agents read from their own etcd.
        const cached = await cilium.stored(await peerEtcd("admin-west"), "cilium/cache/");
        const read = (key: string) => JSON.parse(cached.get(`cilium/cache/${key}`) ?? "{}");
        expect(cached.has("cilium/cache/endpointslices/v1/east/default/web-1")).toBe(true);
        expect(read("ip/v1/east/10.0.101.7")).toMatchObject({ IP: "10.0.101.7", HostIP: "10.0.1.1", ID: 70000 });
        expect(read("services/v1/east/default/web")).toMatchObject({ cluster: "east", clusterID: 1, backends: { "10.0.101.7": {} } });
        expect(read(`nodes/v1/east/${testNode(1).name}`)).toMatchObject({ Cluster: "east", ClusterID: 1 });
        expect(cached.get("cilium/cache/identities/v1/east/id/70000")).toContain("k8s:io.cilium.k8s.policy.cluster=east;");
    });

    test("both replicas write the same entries into their own etcds, with all synced markers", async () => {
        const [first, second] = await Promise.all(etcds.map((_, replica) => state(replica)));
        expect(first?.size).toBeGreaterThan(5);
        expect(second).toEqual(first);
        for (const etcd of etcds) {
            const all = await cilium.stored(await etcd("admin-east"), "cilium/");
            const prefixes = ["endpointslices", "identities", "ip", "nodes", "serviceexports", "services"];
            const markers = [...all.keys()].filter((key) => key.startsWith("cilium/synced/"));
            expect(markers.sort()).toEqual(prefixes.map((prefix) => `cilium/synced/east/cilium/state/${prefix}/v1`));
        }
    });

    test("a service stays shared with affinity, loses deleted backends, and is not shared if its annotation says so", async () => {
        const service = async () => JSON.parse((await state(0)).get("cilium/state/services/v1/east/default/web") ?? "null");
        await annotate("service", "web", "service.cilium.io/affinity=local");
        const slice = MESHED.find(({ kind }) => kind === "EndpointSlice");
        await cilium.apply({ ...slice, endpoints: [{ addresses: ["10.0.101.8"], conditions: { ready: true } }] });
        const moved = async () => {
            const seen = await service();
            return seen?.backends["10.0.101.8"] ? seen : undefined;
        };
        expect(Object.keys((await until(moved, WAIT, "the backend is missing")).backends)).toEqual(["10.0.101.8"]);

        await annotate("service", "web", "service.cilium.io/shared=false");
        await until(async () => ((await service()) ? undefined : true), WAIT, "the service is still shared");
        expect([...(await state(0)).keys()].filter((key) => key.includes("/endpointslices/"))).toEqual([]);
        await annotate("service", "web", "service.cilium.io/shared=true");
        await until(service, WAIT, "the service is not shared again");
    });

    test("pods and services of a namespace that is not global leave the mesh", async () => {
        await annotate("namespace", "default", "clustermesh.cilium.io/global=false");
        const only = async () => ([...(await state(1)).keys()].every((key) => key.includes("/nodes/")) ? true : undefined);
        await until(only, WAIT, "entries of the namespace remain");
        await annotate("namespace", "default", "clustermesh.cilium.io/global=true");
        await until(async () => ((await only()) ? undefined : true), WAIT, "no entries come back");
    });

    test("with CiliumEndpointSlices on, addresses come from them", async () => {
        await cilium.apply(ENDPOINT_SLICE);
        const etcd = await (await cilium.startMeshEtcd("east", "east-3"))("admin-east");
        const replica = await cilium.startClustermesh("east", 1, etcd, "clustermesh-3", ["--enable-cilium-endpoint-slice"]);
        await until(replica.ready, WAIT, "clustermesh is not ready");
        const addresses = await cilium.stored(etcd, "cilium/state/ip/");
        expect([...addresses.keys()]).toEqual(["cilium/state/ip/v1/default/10.0.101.9"]);
        expect(JSON.parse([...addresses.values()][0] ?? "")).toMatchObject({ ID: 70000, HostIP: "10.0.1.1", K8sPodName: "web-2" });
        await replica.process.stop();
    });

    test.each([
        ["a user of etcd", [], ["west"], 'names the user "west"'],
        ["the Multi-Cluster Services API", ["--clustermesh-enable-mcs-api"], [], "turn clustermesh.mcsapi.enabled off"],
    ])("refuses %s, which the stand-in does not support", async (_, more, users, message) => {
        const { process } = await cilium.startClustermesh("east", 1, "unused", "refused", more, users);
        expect(await process.ended).toBe("ended with code 1");
        expect(await cilium.log("refused")).toContain(message);
    });

    test("each replica writes a heartbeat into its etcd, the first after a minute", async () => {
        for (const etcd of etcds) {
            const config = await etcd("admin-east");
            const beat = async () => (await cilium.stored(config, "cilium/.heartbeat")).get("cilium/.heartbeat");
            const time = Date.parse(await until(beat, 2 * WAIT, "no heartbeat"));
            expect(Math.abs(Date.now() - time)).toBeLessThan(2 * WAIT);
        }
    });

    test("a peer sees deletions", async () => {
        await cilium.kubectl("delete", "ciliumendpoint", "web-1");
        await annotate("service", "web", "service.cilium.io/global=false");
        const gone = async () => {
            const seen = await peer();
            return seen && !seen["num-endpoints"] && !seen["num-shared-services"] ? true : undefined;
        };
        await until(gone, WAIT, "the peer does not see the change");
    });

    async function annotate(kind: string, name: string, annotation: string) {
        await cilium.kubectl("annotate", kind, name, annotation, "--overwrite");
    }

    async function firstLine(name: string) {
        return (await cilium.log(name)).split("\n")[0];
    }

    async function state(replica: number) {
        const etcd = etcds[replica];
        return etcd ? cilium.stored(await etcd("admin-east"), "cilium/state/") : new Map<string, string>();
    }
});
