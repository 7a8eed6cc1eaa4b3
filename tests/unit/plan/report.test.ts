import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readProject } from "../../../cli/project/stack-files.ts";
import { PlanReport, planReport } from "../../../core/plan/report.ts";
import { planTable } from "../../../core/plan/table.ts";
import { cluster, files, mesh, PROJECT } from "./stacks.ts";

function planned(...args: Parameters<typeof files>): PlanReport {
    const { report, problems } = planReport(files(...args), PROJECT);
    expect(problems).toEqual([]);
    return PlanReport.parse(report);
}

const quota = (report: PlanReport, code: string, where?: string) =>
    report.quotas.find((quota) => quota.code === code && (where === undefined || quota.where === where));

test("prints the plan of this repository's stack files", () => {
    const { report } = planReport(readProject("."), PROJECT);
    expect(planTable(PlanReport.parse(report))).toMatchSnapshot();
});

test("reports all problems across files at once, each with its file", () => {
    const three = [cluster(1), cluster(1, { name: "c2", mtu: 9001 }), cluster(3, { vpcCidr: "10.1.128.0/17", region: "us-east-1" })];
    const found = files(three);
    found.meshes.push({ stack: "other", config: mesh(["c3", "c4", "c1"]) });
    expect(planReport(found, PROJECT)).toEqual({
        problems: [
            "Pulumi.other.yaml: clusters lists c4, but Pulumi.c4.yaml does not exist or is not a cluster: create it or correct the name",
            expect.stringMatching(/^Pulumi\.mesh\.yaml and Pulumi\.other\.yaml both list c1, but a cluster can be in only one mesh/),
            expect.stringMatching(/^Pulumi\.mesh\.yaml and Pulumi\.other\.yaml both list c3, but/),
            expect.stringMatching(/^Pulumi\.c1\.yaml and Pulumi\.c2\.yaml both have id 1/),
            expect.stringMatching(/^VPC block 10\.1\.0\.0\/16 of c1 \(Pulumi\.c1\.yaml\) and VPC block 10\.1\.0\.0\/16 of c2/),
            expect.stringMatching(/^Cilium pool .* of c1 .* of c2 .* overlap/),
            expect.stringMatching(/^VPC block 10\.1\.0\.0\/16 of c1 .* 10\.1\.128\.0\/17 of c3/),
            expect.stringMatching(/^VPC block 10\.1\.0\.0\/16 of c2 .* 10\.1\.128\.0\/17 of c3/),
            expect.stringMatching(/^c2 sends packets of up to 9001 bytes, .* set mtu to 8500 in Pulumi\.c2\.yaml/),
        ],
    });
});

test("names stacks of other projects without checking them, whatever the organization", () => {
    const found = files([cluster(1), cluster(2)]);
    found.meshes = [{ stack: "mesh", config: mesh(["acme/clustermesh/c1", "c2", "acme/elsewhere/c9"]) }];
    const { report } = planReport(found, PROJECT);
    expect(report?.meshes[0]).toMatchObject({ members: ["c1", "c2"], notHere: ["acme/elsewhere/c9"] });
    expect(planTable(report as PlanReport)).toContain("acme/elsewhere/c9 belongs to another project: not checked");
});

test("plans a mesh whose clusters all belong to another project", () => {
    const foreign = ["acme/elsewhere/c8", "acme/elsewhere/c9"];
    for (const network of ["peering", "transit-gateway"]) {
        const found = { ...files([cluster(1), cluster(2)]), meshes: [{ stack: "mesh", config: mesh(foreign, { network }) }] };
        const { report, problems } = planReport(found, PROJECT);
        expect(problems).toEqual([]);
        expect(PlanReport.parse(report).meshes[0]).toMatchObject({ members: [], notHere: foreign, pairs: [] });
        expect(planTable(report as PlanReport)).toContain("acme/elsewhere/c9 belongs to another project: not checked");
    }
});

test("reports the regions and the largest packet of each pair", () => {
    const report = planned([cluster(1, { mtu: 9001 }), cluster(2), cluster(3)]);
    expect(report.meshes[0]?.pairs.map(({ clusters, mtu }) => [...clusters, mtu])).toEqual([
        ["c1", "c2", 8500],
        ["c1", "c3", 8500],
        ["c2", "c3", 8500],
    ]);
});

describe("quotas", () => {
    test("are summed over the clusters of a region and account", () => {
        const role = { assumeRole: "arn:aws:iam::222222222222:role/mesh" };
        const report = planned([cluster(1), cluster(2, { nat: "single" }), cluster(3, role)]);
        expect(quota(report, "vpc/L-F678F1CE", "eu-central-1")).toMatchObject({ needed: 2, limit: 5 });
        expect(quota(report, "ec2/L-0263D0A3", "eu-central-1")).toMatchObject({ needed: 4, limit: 5 });
        expect(quota(report, "ec2/L-0263D0A3", "eu-central-1, 222222222222")).toMatchObject({ needed: 3 });
        expect(quota(report, "ec2/L-1216C47A", "eu-central-1")).toMatchObject({ needed: 12, limit: 5 });
        expect(planTable(report)).toMatch(/raise {2}12 +5 +vCPUs/);
    });

    test("of the mesh use the values of its stack file", () => {
        const report = planned([cluster(1), cluster(2), cluster(3)], { ingress: ["tcp/443"], quotas: { peeringsPerVpc: 100 } });
        expect(quota(report, "vpc/L-7E9ECCDB")).toMatchObject({ needed: 2, limit: 100 });
        // The default route and one per peer; EKS's own rule, the etcd's rule, and per peer the health check, ICMP and the port.
        expect(quota(report, "vpc/L-93826ACB")).toMatchObject({ needed: 3 });
        expect(quota(report, "vpc/L-0EA8095F")).toMatchObject({ needed: 2 + 2 * 3 });
        expect(quota(planned([cluster(1), cluster(2)], { network: "transit-gateway" }), "vpc/L-7E9ECCDB")).toBeUndefined();
    });

    test("report subnets that are too small for the largest node group", () => {
        const small = cluster(1, { vpcCidr: "10.1.0.0/22", zones: 2 });
        const report = planned([small, cluster(2)]);
        expect(report.quotas.find(({ code, where }) => code === null && where === "c1")).toMatchObject({ needed: 3 * 113, limit: 235 });
        expect(planTable(report)).toContain("c1 has too few addresses for its largest node group");
    });
});

describe("the command", () => {
    let folder: string;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "clustermesh-plan-"));
        writeFileSync(join(folder, "Pulumi.yaml"), "name: clustermesh\nruntime: nodejs\n");
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    /** Without credentials, a home or a `pulumi` on the path. */
    async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
        const main = join(import.meta.dirname, "../../../cli/main.ts");
        return promisify(execFile)(process.execPath, [main, "plan", "--cwd", folder, ...args], { env: { HOME: "/nonexistent" } }).then(
            (output) => ({ code: 0, ...output }),
            (error) => error,
        );
    }
    const write = (stack: string, settings: object) =>
        writeFileSync(join(folder, `Pulumi.${stack}.yaml`), JSON.stringify({ config: { "clustermesh:stack": settings } }));
    const settings = (id: number) => ({ kind: "cluster", name: `c${id}`, id, region: "eu-west-1", vpcCidr: `10.${id}.0.0/16` });

    test("needs only the stack files, and prints only JSON of its schema", async () => {
        for (const id of [1, 2]) write(`c${id}`, settings(id));
        write("mesh", { kind: "mesh", clusters: ["c1", "c2"] });
        const { code, stdout, stderr } = await run("--json");
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(PlanReport.parse(JSON.parse(stdout)).meshes[0]?.members).toEqual(["c1", "c2"]);
    });

    test("exits with 2 and all problems, of single files and across files", async () => {
        write("c1", settings(1));
        write("c2", { ...settings(2), vpcCidr: "10.1.0.0/16" });
        write("c3", { ...settings(3), region: "here" });
        write("mesh", { kind: "mesh", clusters: ["c1", "c2", "c3"] });
        const { code, stdout, stderr } = await run();
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
        expect(stderr).toMatch(/✖ Pulumi\.c3\.yaml: region must be an AWS region, such as eu-central-1; got "here"/);
        expect(stderr).toMatch(/✖ VPC block 10\.1\.0\.0\/16 of c1 \(Pulumi\.c1\.yaml\)/);
        // An invalid file is not reported as missing.
        expect(stderr).not.toContain("Pulumi.c3.yaml does not exist");
    });

    test("exits with 2 and the problems of every file when all files are invalid, each in another way", async () => {
        writeFileSync(join(folder, "Pulumi.c1.yaml"), "config: [\n");
        write("c2", { ...settings(2), vpcCdir: "10.2.0.0/16" });
        write("c3", { ...settings(3), region: "here" });
        write("c4", { ...settings(4), kind: "clutser" });
        write("mesh", { kind: "mesh", clusters: ["c1", "c2", "c3", "c4"] });
        for (const meshToo of [false, true]) {
            if (meshToo) write("mesh", { kind: "mesh", clusters: ["c1"] });
            const { code, stdout, stderr } = await run();
            expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
            for (const stack of ["c1", "c2", "c3", "c4"]) expect(stderr).toContain(`✖ Pulumi.${stack}.yaml: `);
            expect(stderr.includes("✖ Pulumi.mesh.yaml: ")).toBe(meshToo);
            expect(stderr).not.toMatch(/TypeError|does not exist/);
        }
    });

    test("exits with 2 when every cluster of the mesh belongs to another project", async () => {
        write("mesh", { kind: "mesh", clusters: ["acme/elsewhere/c8", "acme/elsewhere/c9"] });
        expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining("no stack file of a cluster") });
    });

    test("exits with 2 when there is nothing to plan", async () => {
        expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining("no stack file of a cluster") });
    });
});
