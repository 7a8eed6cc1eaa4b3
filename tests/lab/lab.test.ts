import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AppsV1Api, CoreV1Api } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DriverOptions, deployMesh, destroyMesh, type EngineEvent, previewMesh, refreshMesh } from "../../cli/driver.ts";
import { readPlan } from "../../cli/plan.ts";
import { parseClustermesh } from "../../core/clustermesh-config.ts";
import { ALL_TABLES } from "../../lab/aws/aws.ts";
import { secretFiles } from "../../lab/clusters.ts";
import { type Lab, startLab } from "../../lab/lab.ts";
import { pathMatrix } from "../../lab/matrix.ts";
import { BUILD_TIMEOUT, temporaryFolder, whyNoTools } from "./harness.ts";

const STACKS = { clusters: ["cluster1", "cluster2"], meshes: ["mesh"] };
const PLACE = { account: "111111111111", region: "eu-central-1" };
const HTTP = { protocol: "tcp", port: 8080 } as const;

describe.skipIf(await whyNoTools())("both programs on the real engine, over the simulated AWS", { timeout: 600_000 }, () => {
    let lab: Lab;
    let driver: DriverOptions;
    const events: EngineEvent[] = [];
    const open = () => pathMatrix(lab.aws, lab.clusters.running(), HTTP).filter(({ path }) => path.open).length;
    const all = () => pathMatrix(lab.aws, lab.clusters.running(), HTTP).length;
    const changed = ({ same: _, ...others }: Record<string, number>) => others;
    const ec2 = () => lab.aws.in(PLACE).ec2;

    beforeAll(async () => {
        const { clusters, meshes } = readPlan(".");
        const stacks = Object.fromEntries([...clusters, ...meshes].map(({ stack, config }) => [stack, config]));
        lab = await startLab({ folder: join(await temporaryFolder(), "lab"), stacks, tell: (line) => console.log(line) });
        driver = { folder: lab.project, env: lab.env, onEvent: (_, event) => events.push(event) };
    }, BUILD_TIMEOUT);
    afterAll(() => lab?.destroy(), 120_000);

    test("the clusters come up, and no path leads from one to the other", async () => {
        const results = await deployMesh({ ...STACKS, meshes: [] }, driver);
        for (const [stack, changes] of results) expect(changed(changes), stack).toEqual({ create: expect.any(Number) });
        expect(all()).toBeGreaterThan(20);
        expect(open()).toBe(0);
    });

    test("the mesh stack opens every path, both ways, and its gate passes", async () => {
        await deployMesh({ clusters: [], meshes: STACKS.meshes }, driver);
        expect(open()).toBe(all());
    });

    test("in both API servers: peers as Cilium reads them, host aliases, what cilium-config must say, agents on every node", async () => {
        for (const { name, config } of lab.clusters.running()) {
            const peer = name === "cluster1" ? "cluster2" : "cluster1";
            const peers = parseClustermesh(await secretFiles(config, "cilium-clustermesh"), name);
            expect([...peers.keys()]).toEqual([peer]);
            const agents = await config.makeApiClient(AppsV1Api).readNamespacedDaemonSet({ name: "cilium", namespace: "kube-system" });
            expect(agents.spec?.template.spec?.hostAliases).toHaveLength(3);
            expect(agents.spec?.template.spec?.hostAliases?.every(({ hostnames }) => hostnames?.includes(`${peer}.mesh.cilium.io`))).toBe(
                true,
            );
            expect(agents.status).toMatchObject({ desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 });
            const { data } = await config
                .makeApiClient(CoreV1Api)
                .readNamespacedConfigMap({ name: "cilium-config", namespace: "kube-system" });
            expect(data).toMatchObject({
                "cluster-name": name,
                "cluster-id": name.slice(-1),
                "cni-chaining-mode": "aws-cni",
                "cni-exclusive": "false",
                "enable-ipv4-masquerade": "false",
                "routing-mode": "native",
                "identity-allocation-mode": "crd",
            });
            const agent = agents.spec?.template.spec?.containers.find(({ name }) => name === "cilium-agent");
            expect(agent?.securityContext?.capabilities?.add).toEqual(expect.arrayContaining(["NET_ADMIN", "SYS_ADMIN", "SYS_MODULE"]));
            expect(agents.spec?.template.spec?.hostNetwork).toBe(true);
        }
    });

    test("a preview shows no changes, and a second up makes none", async () => {
        for (const [stack, changes] of await previewMesh(STACKS, driver)) expect(changed(changes), stack).toEqual({});
        for (const [stack, changes] of await deployMesh(STACKS, driver)) expect(changed(changes), stack).toEqual({});
    });

    test("a route taken away behind the program's back closes paths, is seen by refresh and put back by up", async () => {
        const peering = (await ec2().describeVpcPeeringConnections({})).VpcPeeringConnections[0]?.VpcPeeringConnectionId;
        const { RouteTables } = await ec2().describeRouteTables({});
        const table = RouteTables.find(({ Routes }) => Routes.some(({ VpcPeeringConnectionId }) => VpcPeeringConnectionId === peering));
        const route = table?.Routes.find(({ VpcPeeringConnectionId }) => VpcPeeringConnectionId === peering);
        await ec2().deleteRoute({ RouteTableId: table?.RouteTableId ?? "", DestinationCidrBlock: route?.DestinationCidrBlock ?? "" });
        await refreshMesh({ clusters: [], meshes: ["mesh"] }, driver);
        const results = await deployMesh({ clusters: [], meshes: ["mesh"] }, driver);
        expect(changed(results.get("mesh") ?? {})).toEqual({ create: 1 });
        expect(open()).toBe(all());
    });

    test("no private key lies in plain in states, events or the lab's own files", () => {
        const keys = /BEGIN [A-Z ]*PRIVATE KEY|QkVHSU4gRUMgUFJJVkFURSBLRVk|LS0tLS1CRUdJTiBFQyBQUklWQVRF/;
        expect(JSON.stringify(events)).not.toMatch(keys);
        const state = join(lab.env.PULUMI_BACKEND_URL?.replace("file://", "") ?? "", ".pulumi");
        const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
        expect(files.length).toBeGreaterThan(3);
        for (const { parentPath, name } of files) expect(readFileSync(join(parentPath, name), "utf8"), name).not.toMatch(keys);
    });

    test("destroyed in order, nothing is left in any account or region, and the agents have no host aliases after the mesh", async () => {
        await destroyMesh({ clusters: [], meshes: ["mesh"] }, driver);
        for (const { config } of lab.clusters.running()) {
            const agents = await config.makeApiClient(AppsV1Api).readNamespacedDaemonSet({ name: "cilium", namespace: "kube-system" });
            expect(agents.spec?.template.spec?.hostAliases ?? []).toEqual([]);
            expect(await secretFiles(config, "cilium-clustermesh")).toEqual({});
        }
        expect(open()).toBe(0);
        await destroyMesh({ clusters: STACKS.clusters, meshes: [] }, driver);
        expect(lab.aws.remains(ALL_TABLES)).toEqual([]);
        expect(lab.clusters.running()).toEqual([]);
        await lab.destroy();
        expect(existsSync(lab.project)).toBe(false);
    });
});
