import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ALL_TABLES, simulatedAws } from "../../../aws/aws.ts";
import { type EksBackend, type Serving, serveEks } from "../../../aws/eks/backend.ts";
import { AwsError } from "../../../aws/error.ts";
import { FRANKFURT } from "../places.ts";
import { createSite, type Site } from "../site.ts";

/** A backend that records its calls, and fails those in `failing`. */
function recordingBackend(failing: string[] = []) {
    const calls: string[] = [];
    const record = async (call: string) => {
        calls.push(call);
        if (failing.includes(call)) throw new Error(`no ${call}`);
    };
    const backend: EksBackend = {
        createCluster: async ({ name }) => {
            await record(`create ${name}`);
            return { endpoint: "https://127.0.0.1:6443", certificateAuthority: "Y2E=" };
        },
        updateCluster: ({ name, version }) => record(`update ${name} ${version}`),
        deleteCluster: ({ name }) => record(`delete ${name}`),
        addNode: ({ name, cluster }) => record(`add ${name} ${cluster}`),
        removeNode: ({ name }) => record(`remove ${name}`),
        putAddon: ({ name, configurationValues }) => record(`put ${name} ${configurationValues ?? ""}`),
        deleteAddon: ({ name }) => record(`drop ${name}`),
    };
    return { calls, backend };
}

let serving: Serving | undefined;
afterEach(() => serving?.stop());
const status = async (s: Site) => (await s.eks.describeCluster({ name: "one" })).cluster.status;

describe("EKS with a backend", () => {
    test("makes a cluster ACTIVE once the backend has created it, with the backend's endpoint", async () => {
        const s = await createSite({ backed: true });
        await s.cluster();
        s.minutes(60);
        expect(await status(s)).toBe("CREATING");
        let ready = () => {};
        const { backend, calls } = recordingBackend();
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
        expect(calls).toEqual(["create one"]);
    });

    test("adds and removes nodes and add-ons on the backend", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        const { backend, calls } = recordingBackend();
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
        expect(calls).toEqual([
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

    test("does not delete a preserved add-on on the backend", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        const { backend, calls } = recordingBackend();
        serving = serveEks(s.aws, backend, 1);
        await s.cluster();
        await serving.idle();
        await s.eks.createAddon({ clusterName: "one", addonName: "vpc-cni" });
        await serving.idle();
        await s.eks.deleteAddon({ clusterName: "one", addonName: "vpc-cni", preserve: true });
        await serving.idle();
        expect(calls).not.toContain("drop vpc-cni");
        expect((await s.eks.listAddons({ clusterName: "one" })).addons).toEqual([]);
    });

    test("reports the backend's error when a cluster fails", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        serving = serveEks(s.aws, recordingBackend(["create one"]).backend, 1);
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

    test("makes a node group CREATE_FAILED if its nodes do not join", async () => {
        const s = await createSite({ backed: true, speed: Number.POSITIVE_INFINITY });
        serving = serveEks(s.aws, recordingBackend(["add ip-10-0-0-5.eu-central-1.compute.internal one"]).backend, 1);
        await s.cluster();
        await serving.idle();
        await s.nodegroup();
        await serving.idle();
        const { nodegroup } = await s.eks.describeNodegroup({ clusterName: "one", nodegroupName: "nodes" });
        expect(nodegroup).toMatchObject({ status: "CREATE_FAILED", health: { issues: [{ code: "NodeCreationFailure" }] } });
        await s.eks.deleteNodegroup({ clusterName: "one", nodegroupName: "nodes" });
    });

    test("does not pass a frozen creation to the backend until it is thawed", async () => {
        const s = await createSite({
            backed: true,
            speed: Number.POSITIVE_INFINITY,
            hook: ({ action }) => (action === "createCluster" ? { freeze: true } : undefined),
        });
        const { backend, calls } = recordingBackend();
        serving = serveEks(s.aws, backend, 1);
        await s.cluster();
        await serving.idle();
        expect(calls).toEqual([]);
        s.aws.thaw();
        await serving.idle();
        expect(await status(s)).toBe("ACTIVE");
    });

    test("passes nothing to the backend if the call fails", async () => {
        const s = await createSite({
            backed: true,
            speed: Number.POSITIVE_INFINITY,
            hook: ({ action }) =>
                action === "createCluster" ? { error: new AwsError("ThrottlingException", "Rate exceeded", 429) } : undefined,
        });
        const { backend, calls } = recordingBackend();
        serving = serveEks(s.aws, backend, 1);
        await expect(s.cluster()).rejects.toThrow("Rate exceeded");
        await serving.idle();
        expect(calls).toEqual([]);
    });
});

describe("EKS after a restart", () => {
    let folder: string;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "eks-"));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    test("repeats unfinished jobs on the backend", async () => {
        const file = join(folder, "aws.json");
        const s = await createSite({ file, backed: true, speed: Number.POSITIVE_INFINITY });
        const killed = serveEks(s.aws, { ...recordingBackend().backend, createCluster: () => new Promise(() => {}) }, 1);
        await s.cluster();
        await new Promise((resolve) => setTimeout(resolve, 30));
        void killed.stop();

        const again = simulatedAws({ file, backed: true, speed: Number.POSITIVE_INFINITY });
        const { backend, calls } = recordingBackend();
        serving = serveEks(again, backend, 1);
        await serving.idle();
        expect(calls).toEqual(["create one"]);
        expect((await again.in(FRANKFURT).eks.describeCluster({ name: "one" })).cluster.status).toBe("ACTIVE");
    });

    test("finishes creating a cluster without a backend", async () => {
        const file = join(folder, "aws.json");
        const s = await createSite({ file });
        await s.cluster();
        const later = simulatedAws({ file, clock: () => Date.UTC(2026, 0, 1, 1) });
        expect((await later.in(FRANKFURT).eks.describeCluster({ name: "one" })).cluster.status).toBe("ACTIVE");
    });
});
