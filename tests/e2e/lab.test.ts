import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { AppsV1Api, CoreV1Api } from "@kubernetes/client-node";
import { automation } from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DriverOptions, deployMesh, destroyMesh, type EngineEvent, previewMesh, refreshMesh } from "../../cli/engine/driver.ts";
import { engine } from "../../cli/engine/engine.ts";
import { readProject } from "../../cli/project/stack-files.ts";
import { parseClustermesh } from "../../core/cilium/clustermesh-config.ts";
import { ALL_TABLES } from "../../packages/lab/aws/aws.ts";
import type { CallInfo } from "../../packages/lab/aws/simulation.ts";
import { type RunningCluster, secretFiles } from "../../packages/lab/cluster/clusters.ts";
import { type Lab, startLab } from "../../packages/lab/lab.ts";
import { pathMatrix } from "../../packages/lab/matrix.ts";
import { stackFiles } from "../../packages/lab/project.ts";
import { verifyLab } from "../../packages/lab/run.ts";
import { BUILD_TIMEOUT, temporaryFolder, whyNoTools } from "../../packages/lab/tests/harness.ts";
import { filesBelow, placesWithKeys, watchCommandLines } from "./keys.ts";

const STACKS = { clusters: ["cluster1", "cluster2"], meshes: ["mesh"] };
const PLACE = { account: "111111111111", region: "eu-central-1" };
const HTTP = { protocol: "tcp", port: 8080 } as const;
const THIRD = {
    kind: "cluster",
    name: "cluster3",
    id: 3,
    region: "us-east-1",
    vpcCidr: "172.16.0.0/16",
    nat: "single",
    endpoint: { publicCidrs: ["0.0.0.0/0"] },
};

describe.skipIf(await whyNoTools())("both programs on the real engine and the simulated AWS", { timeout: 600_000 }, () => {
    let lab: Lab;
    let driver: DriverOptions;
    const events: EngineEvent[] = [];
    const commandLines = watchCommandLines();
    const openPaths = () => pathMatrix(lab.aws, lab.clusters.running(), HTTP).filter((path) => path.open).length;
    const allPaths = () => pathMatrix(lab.aws, lab.clusters.running(), HTTP).length;
    /** What an operation changed. A `discard` drops a reference to another stack from the state, which is no change to a resource. */
    const changed = ({ same: _, discard: __, ...others }: Record<string, number>) => others;
    const ec2 = () => lab.aws.in(PLACE).ec2;
    const mesh = { clusters: [], meshes: ["mesh"] };
    /** The error message of a run that must fail. */
    const failure = (run: Promise<unknown>): Promise<string> =>
        run.then(
            () => expect.fail("the deployment succeeded"),
            (error: AggregateError) => (error.errors[0] as Error).message,
        );
    const ofEachCluster = async <T>(read: (cluster: RunningCluster) => Promise<T>) =>
        Object.fromEntries(await Promise.all(lab.clusters.running().map(async (cluster) => [cluster.name, await read(cluster)] as const)));
    /** The peers that each cluster's agents are configured with. */
    const peers = () =>
        ofEachCluster(async ({ name, config }) =>
            [...parseClustermesh(await secretFiles(config, "cilium-clustermesh"), name).keys()].toSorted(),
        );
    /** UIDs of the Secrets with the peers: a Secret that is replaced gets a new UID. */
    const peerSecretUids = () =>
        ofEachCluster(async ({ config }) => {
            const core = config.makeApiClient(CoreV1Api);
            const { items } = await core.listNamespacedSecret({
                namespace: "kube-system",
                fieldSelector: "metadata.name=cilium-clustermesh",
            });
            return items.map(({ metadata }) => metadata?.uid);
        });

    beforeAll(async () => {
        lab = await startLab({
            folder: join(await temporaryFolder(), "lab"),
            stacks: stackFiles(readProject(".")),
            simulatedNodes: true,
            log: (line) => console.log(line),
        });
        driver = { folder: lab.project, env: lab.env, onEvent: (_, event) => events.push(event) };
    }, BUILD_TIMEOUT);
    afterAll(() => lab?.destroy(), 120_000);

    test("deploys the clusters, with no open path between them", async () => {
        const results = await deployMesh({ ...STACKS, meshes: [] }, driver);
        for (const [stack, changes] of results) expect(changed(changes), stack).toEqual({ create: expect.any(Number) });
        expect(allPaths()).toBeGreaterThan(20);
        expect(openPaths()).toBe(0);
    });

    test("the mesh stack opens every path in both directions, and its gate passes", async () => {
        await deployMesh(mesh, driver);
        expect(openPaths()).toBe(allPaths());
    });

    test("every agent sees the other cluster and all its nodes over real connections", async ({ skip }) => {
        skip(!lab.dataPlane.connected, "this user cannot run a sandbox, so agent status is computed");
        const { checks, readiness, nodeLists } = await verifyLab(lab, { only: ["agents"] });
        expect(checks.flatMap(({ findings }) => findings.filter(({ outcome }) => outcome !== "passed"))).toEqual([]);
        expect(readiness).toHaveLength(2);
        expect(nodeLists).toMatchObject([
            { complete: 3, nodes: 6 },
            { complete: 3, nodes: 6 },
        ]);
    });

    test("both API servers have the peers in Cilium's format, host aliases, the right cilium-config, and agents on every node", async () => {
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

    test("a preview shows no changes, and a second `up` makes none", async () => {
        for (const [stack, changes] of await previewMesh(STACKS, driver)) expect(changed(changes), stack).toEqual({});
        for (const [stack, changes] of await deployMesh(STACKS, driver)) expect(changed(changes), stack).toEqual({});
    });

    describe("refresh detects a manual deletion, and `up` restores", () => {
        const peering = async () => (await ec2().describeVpcPeeringConnections({})).VpcPeeringConnections[0]?.VpcPeeringConnectionId ?? "";
        const drifts: Record<string, () => Promise<unknown>> = {
            "a route": async () => {
                const connection = await peering();
                // From a table that routes a pod's packets.
                const used = pathMatrix(lab.aws, lab.clusters.running(), HTTP)[0]?.path.forward ?? [];
                const { RouteTables } = await ec2().describeRouteTables({});
                const { RouteTableId = "", Routes = [] } = RouteTables.find((table) => used.includes(table.RouteTableId)) ?? {};
                const route = Routes.find(({ VpcPeeringConnectionId }) => VpcPeeringConnectionId === connection);
                return ec2().deleteRoute({ RouteTableId, DestinationCidrBlock: route?.DestinationCidrBlock ?? "" });
            },
            "an ingress rule": async () => {
                const { SecurityGroupRules } = await ec2().describeSecurityGroupRules({});
                const [rule] = SecurityGroupRules.filter(
                    ({ IsEgress, CidrIpv4, IpProtocol }) => !IsEgress && CidrIpv4 === "10.248.0.0/18" && IpProtocol === "-1",
                );
                const { GroupId = "", SecurityGroupRuleId = "" } = rule ?? {};
                return ec2().revokeSecurityGroupIngress({ GroupId, SecurityGroupRuleIds: [SecurityGroupRuleId] });
            },
            "the peering": async () => ec2().deleteVpcPeeringConnection({ VpcPeeringConnectionId: await peering() }),
        };

        test.each(Object.entries(drifts))("%s", async (_, remove) => {
            await remove();
            expect(openPaths()).toBeLessThan(allPaths());
            await refreshMesh(mesh, driver);
            const results = await deployMesh(mesh, driver);
            expect(changed(results.get("mesh") ?? {})).toMatchObject({ create: expect.any(Number) });
            expect(openPaths()).toBe(allPaths());
            for (const [stack, changes] of await previewMesh(mesh, driver)) expect(changed(changes), stack).toEqual({});
        });
    });

    test("a cluster in another region and account joins and leaves by one entry in the mesh's stack file, and nothing in the others is replaced", async () => {
        lab.configure({ cluster3: { ...THIRD, assumeRole: "arn:aws:iam::222222222222:role/deployer" } });
        const noRole = await failure(deployMesh({ clusters: ["cluster3"], meshes: [] }, driver));
        expect(noRole).toMatch(
            /cannot query .* from AWS in us-east-1; check role arn:aws:iam::222222222222:role\/deployer \(assumeRole in Pulumi.cluster3.yaml\): .*AccessDenied/s,
        );
        expect(noRole).not.toMatch(/^ +at /m);
        const { iam } = lab.aws.in({ account: "222222222222", region: "us-east-1" });
        const trust = {
            Version: "2012-10-17",
            Statement: { Effect: "Allow", Principal: { AWS: PLACE.account }, Action: "sts:AssumeRole" },
        };
        await iam.createRole({ RoleName: "deployer", AssumeRolePolicyDocument: JSON.stringify(trust) });
        await deployMesh({ clusters: ["cluster3"], meshes: [] }, driver);
        const before = await peerSecretUids();

        lab.configure({ mesh: { kind: "mesh", clusters: ["cluster1", "cluster2", "cluster3"] } });
        const joinChanges = changed((await deployMesh(mesh, driver)).get("mesh") ?? {});
        expect(Object.keys(joinChanges).toSorted()).toEqual(["create", "update"]);
        expect(openPaths()).toBe(allPaths());
        expect(await peers()).toEqual({
            cluster1: ["cluster2", "cluster3"],
            cluster2: ["cluster1", "cluster3"],
            cluster3: ["cluster1", "cluster2"],
        });

        lab.configure({ mesh: { kind: "mesh", clusters: STACKS.clusters } });
        const leaveChanges = changed((await deployMesh(mesh, driver)).get("mesh") ?? {});
        expect(Object.keys(leaveChanges).toSorted()).toEqual(["delete", "update"]);
        expect(leaveChanges.delete).toBe(joinChanges.create);
        expect(await peers()).toEqual({ cluster1: ["cluster2"], cluster2: ["cluster1"], cluster3: [] });
        const after = await peerSecretUids();
        for (const name of STACKS.clusters) expect(after[name], name).toEqual(before[name]);
    });

    test("refuses clusters that cannot form a mesh, and stacks never deployed, with the program's errors and before it changes anything", async () => {
        lab.configure({ clash: { ...THIRD, name: "clash", id: 1, vpcCidr: "10.248.0.0/18" }, new: { ...THIRD, name: "new", id: 4 } });
        await deployMesh({ clusters: ["clash"], meshes: [] }, driver);
        const pulumiCommand = await engine(lab.env);
        await automation.LocalWorkspace.createStack({ stackName: "new", workDir: lab.project }, { envVars: lab.env, pulumiCommand });
        const calls: CallInfo[] = [];
        const unwatch = lab.aws.watch((call) => calls.push(call));
        const refused = async (...clusters: string[]) => {
            lab.configure({ mesh: { kind: "mesh", clusters } });
            return failure(deployMesh(mesh, driver));
        };

        const unfit = await refused("cluster1", "cluster2", "clash");
        expect(unfit).toContain("Pulumi.clash.yaml and Pulumi.cluster1.yaml both have id 1: security identities would be mixed up");
        expect(unfit).toContain(
            "VPC block 10.248.0.0/18 of clash (Pulumi.clash.yaml) and VPC block 10.248.0.0/18 of cluster1 (Pulumi.cluster1.yaml) overlap",
        );
        expect(await refused("cluster1", "cluster2", "new")).toContain(
            "stack organization/clustermesh/new has no outputs: run `pulumi up -s new` first",
        );
        expect(await refused("cluster1", "cluster2", "cluster9")).toContain('unknown stack "organization/clustermesh/cluster9"');
        expect(await refused("cluster1", "cluster1")).toMatch(/✖ .*cluster1/);
        unwatch();

        expect(calls.filter(({ action }) => !/^(describe|get|list)/.test(action))).toEqual([]);
        expect(await peers()).toMatchObject({ cluster1: ["cluster2"], cluster2: ["cluster1"] });
        lab.configure({ mesh: { kind: "mesh", clusters: STACKS.clusters } });
        for (const [stack, changes] of await deployMesh(mesh, driver)) expect(changed(changes), stack).toEqual({});
        await destroyMesh({ clusters: ["clash", "new"], meshes: [] }, driver);
    });

    test("no private key is in plain text, in any form, in states, outputs, events, the lab's files or command lines", async () => {
        const pulumi = (...args: string[]) =>
            promisify(execFile)("pulumi", args, { cwd: lab.project, env: { ...process.env, ...lab.env } });
        const stacks = ["cluster1", "cluster2", "mesh"];
        const states = await Promise.all(
            stacks.map(async (stack) => (await pulumi("stack", "export", "--show-secrets", "-s", stack)).stdout),
        );
        // States contain them as JSON within JSON.
        const pem = /-----BEGIN (EC )?PRIVATE KEY-----[^-]+-----END (EC )?PRIVATE KEY-----\n/g;
        const pems = [...new Set(states.flatMap((state) => state.replaceAll(/\\+n/g, "\n").match(pem) ?? []))];
        // Five per cluster: the CA's and four leaves'.
        expect(pems.length).toBeGreaterThanOrEqual(10);
        expect(placesWithKeys(pems, [["what is searched", Buffer.from(states.join())]])).toEqual(["what is searched"]);

        const outputs = await Promise.all(stacks.map(async (stack) => (await pulumi("stack", "output", "--json", "-s", stack)).stdout));
        const state = new URL(lab.env.PULUMI_BACKEND_URL ?? "").pathname;
        // Excluded: the clusters' folders, with the API server's certificates and the Secrets in its etcd, and the mesh's folder, with the pods' volumes.
        const labFiles = filesBelow(
            dirname(lab.project),
            (path) => path.endsWith(".log") || !/\/(clusters|mesh)\/|node_modules/.test(path),
        );
        expect(labFiles.some(([path]) => path.startsWith(state))).toBe(true);
        expect(labFiles.some(([path]) => path.endsWith("kube-apiserver.log"))).toBe(true);
        const places = [
            ...labFiles,
            ["events", Buffer.from(JSON.stringify(events))],
            ["outputs", Buffer.from(outputs.join())],
            ...commandLines(),
        ] as [string, Buffer][];
        expect(places.some(([name]) => name.startsWith("command line") && name.includes("pulumi"))).toBe(true);
        expect(placesWithKeys(pems, places)).toEqual([]);
    });

    test("destroying the mesh removes all host aliases, and destroying the clusters leaves nothing in any account or region", async () => {
        await destroyMesh(mesh, driver);
        for (const { config } of lab.clusters.running()) {
            const agents = await config.makeApiClient(AppsV1Api).readNamespacedDaemonSet({ name: "cilium", namespace: "kube-system" });
            expect(agents.spec?.template.spec?.hostAliases ?? []).toEqual([]);
            expect(await secretFiles(config, "cilium-clustermesh")).toEqual({});
        }
        expect(openPaths()).toBe(0);
        await destroyMesh({ clusters: [...STACKS.clusters, "cluster3"], meshes: [] }, driver);
        await lab.aws.in({ account: "222222222222", region: "us-east-1" }).iam.deleteRole({ RoleName: "deployer" });
        expect(lab.aws.remains(ALL_TABLES)).toEqual([]);
        expect(lab.clusters.running()).toEqual([]);
        await lab.destroy();
        expect(existsSync(lab.project)).toBe(false);
    });
});
