import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ALL_TABLES, simulatedAws } from "../../../aws/aws.ts";
import { type EksBackend, type Serving, serveEks } from "../../../aws/eks/backend.ts";
import { AwsError } from "../../../aws/error.ts";
import { FRANKFURT } from "../places.ts";
import { createSite, type Site } from "../site.ts";

/** A backend that notes what it is asked for, and fails where told. */
function recorder(fails: string[] = []) {
    const asked: string[] = [];
    const note = async (what: string) => {
        asked.push(what);
        if (fails.includes(what)) throw new Error(`no ${what}`);
    };
    const backend: EksBackend = {
        createCluster: async ({ name }) => {
            await note(`create ${name}`);
            return { endpoint: "https://127.0.0.1:6443", certificateAuthority: "Y2E=" };
        },
        updateCluster: ({ name, version }) => note(`update ${name} ${version}`),
        deleteCluster: ({ name }) => note(`delete ${name}`),
        addNode: ({ name, cluster }) => note(`add ${name} ${cluster}`),
        removeNode: ({ name }) => note(`remove ${name}`),
        putAddon: ({ name, configurationValues }) => note(`put ${name} ${configurationValues ?? ""}`),
        deleteAddon: ({ name }) => note(`drop ${name}`),
    };
    return { asked, backend };
}

let serving: Serving | undefined;
afterEach(() => serving?.stop());
const status = async (s: Site) => (await s.eks.describeCluster({ name: "one" })).cluster.status;

describe("an EKS that someone serves", () => {
    test("a cluster is ACTIVE only once its backend says so, with the endpoint that that gives", async () => {
        const s = await createSite({ backed: true });
        await s.cluster();
        s.minutes(60);
        expect(await status(s)).toBe("CREATING");
        let ready = () => {};
        const { backend, asked } = recorder();
        const createCluster: EksBackend["createCluster"] = async (cluster) => {
            await new Promise<void>((resolve) => {
                ready = resolve;
            });
            return backend.createCluster(cluster);
        };
        serving = serveEks(s.aws, { ...backend, createCluster }, 1);
        await new Promise((resolve) => setTimeout(resolve, 30));
        expect(await status(s)).toBe("CREATING");
        ready();
        await serving.idle();
        expect((await s.eks.describeCluster({ name: "one" })).cluster).toMatchObject({
            status: "ACTIVE",
            endpoint: "https://127.0.0.1:6443",
            certificateAuthority: { data: "Y2E=" },
        });
        expect(asked).toEqual(["create one"]);
    });

    test("nodes join and leave, add-ons come and go, each with what it needs to know", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        const { backend, asked } = recorder();
        serving = serveEks(s.aws, backend, 1);
        const before = s.aws.remains(ALL_TABLES);
        await s.cluster();
        await serving.idle();
        const cni = { clusterName: "one", addonName: "vpc-cni" };
        await s.eks.createAddon({ ...cni, configurationValues: "{}" });
        await serving.idle();
        await s.nodegroup({ scalingConfig: { minSize: 1, maxSize: 2, desiredSize: 1 } });
        await serving.idle();
        await s.eks.updateClusterVersion({ name: "one", version: "1.35" });
        await serving.idle();
        await s.eks.deleteNodegroup({ clusterName: "one", nodegroupName: "nodes" });
        await serving.idle();
        await s.eks.deleteAddon({ ...cni, preserve: false });
        await serving.idle();
        await s.eks.deleteCluster({ name: "one" });
        await serving.idle();
        const node = "ip-10-0-0-5.eu-central-1.compute.internal";
        expect(asked).toEqual([
            "create one",
            "put vpc-cni {}",
            `add ${node} one`,
            "update one 1.35",
            `remove ${node}`,
            "drop vpc-cni",
            "delete one",
        ]);
        expect(s.aws.remains(ALL_TABLES)).toEqual(before);
    });

    test("what is preserved is not taken away", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        const { backend, asked } = recorder();
        serving = serveEks(s.aws, backend, 1);
        await s.cluster();
        await serving.idle();
        await s.eks.createAddon({ clusterName: "one", addonName: "vpc-cni" });
        await serving.idle();
        await s.eks.deleteAddon({ clusterName: "one", addonName: "vpc-cni", preserve: true });
        await serving.idle();
        expect(asked).not.toContain("drop vpc-cni");
        expect((await s.eks.listAddons({ clusterName: "one" })).addons).toEqual([]);
    });

    test("what fails behind it fails in EKS, and says why", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        serving = serveEks(s.aws, recorder(["create one"]).backend, 1);
        await s.cluster();
        await serving.idle();
        expect((await s.eks.describeCluster({ name: "one" })).cluster).toMatchObject({
            status: "FAILED",
            health: { issues: [{ message: "no create one" }] },
        });
        await s.eks.deleteCluster({ name: "one" });
        await serving.idle();
        await expect(status(s)).rejects.toMatchObject({ code: "ResourceNotFoundException" });
    });

    test("nodes that do not join make their group CREATE_FAILED", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        serving = serveEks(s.aws, recorder(["add ip-10-0-0-5.eu-central-1.compute.internal one"]).backend, 1);
        await s.cluster();
        await serving.idle();
        await s.nodegroup();
        await serving.idle();
        const { nodegroup } = await s.eks.describeNodegroup({ clusterName: "one", nodegroupName: "nodes" });
        expect(nodegroup).toMatchObject({ status: "CREATE_FAILED", health: { issues: [{ code: "NodeCreationFailure" }] } });
        await s.eks.deleteNodegroup({ clusterName: "one", nodegroupName: "nodes" });
    });

    test("a frozen creation is not handed on until it is thawed", async () => {
        const s = await createSite({
            backed: true,
            speed: Number.POSITIVE_INFINITY,
            hook: ({ action }) => (action === "createCluster" ? { freeze: true } : undefined),
        });
        const { backend, asked } = recorder();
        serving = serveEks(s.aws, backend, 1);
        await s.cluster();
        await serving.idle();
        expect(asked).toEqual([]);
        s.aws.thaw();
        await serving.idle();
        expect(await status(s)).toBe("ACTIVE");
    });

    test("a call that failed hands nothing on", async () => {
        const s = await createSite({
            backed: true,
            speed: Number.POSITIVE_INFINITY,
            hook: ({ action }) =>
                action === "createCluster" ? { error: new AwsError("ThrottlingException", "Rate exceeded", 429) } : undefined,
        });
        const { backend, asked } = recorder();
        serving = serveEks(s.aws, backend, 1);
        await expect(s.cluster()).rejects.toThrow("Rate exceeded");
        await serving.idle();
        expect(asked).toEqual([]);
    });
});

describe("after a restart", () => {
    let folder: string;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "eks-"));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    test("what was begun is asked for again", async () => {
        const file = join(folder, "aws.json");
        const s = await createSite({ file, backed: true, speed: Number.POSITIVE_INFINITY });
        const killed = serveEks(s.aws, { ...recorder().backend, createCluster: () => new Promise(() => {}) }, 1);
        await s.cluster();
        await new Promise((resolve) => setTimeout(resolve, 30));
        void killed.stop();

        const again = simulatedAws({ file, backed: true, speed: Number.POSITIVE_INFINITY });
        const { backend, asked } = recorder();
        serving = serveEks(again, backend, 1);
        await serving.idle();
        expect(asked).toEqual(["create one"]);
        expect((await again.in(FRANKFURT).eks.describeCluster({ name: "one" })).cluster.status).toBe("ACTIVE");
    });

    test("a cluster without a backend goes on being made", async () => {
        const file = join(folder, "aws.json");
        const s = await createSite({ file });
        await s.cluster();
        const later = simulatedAws({ file, clock: () => Date.UTC(2026, 0, 1, 1) });
        expect((await later.in(FRANKFURT).eks.describeCluster({ name: "one" })).cluster.status).toBe("ACTIVE");
    });
});
