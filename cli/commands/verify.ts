import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { PublishedCluster } from "../../core/facts/schema.ts";
import type { Project } from "../../core/settings/project.ts";
import { reportJunit } from "../../core/verify/junit.ts";
import { allPassed, PARTS, type Part, VerifyReport } from "../../core/verify/report.ts";
import { reportTable } from "../../core/verify/table.ts";
import { type Command, type Context, numberOption } from "../command.ts";
import { readValidProject, selectMesh } from "../project/selection.ts";

export const verify: Command<VerifyReport> = {
    name: "verify",
    summary: "Test the mesh with real traffic; report which pair fails and why",
    operands: "[<mesh>]",
    details:
        "Checks node lists and readiness of every agent; every ordered pair of clusters by pod IP, with\nsource address and round-trip time; large packets; global services, local affinity and failover; a\nnetwork policy across clusters. Test pods run in a namespace of their own, which is deleted at the\nend; `--only agents` creates none.",
    options: {
        only: {
            type: "string",
            multiple: true,
            value: "<part>",
            values: PARTS,
            help: `Run only this part (repeatable): ${PARTS.join(", ")}`,
        },
        junit: { type: "string", value: "<file>", help: "Write the report as JUnit XML too" },
        image: { type: "string", value: "<image>", help: "Image of the test pods: agnhost, with a shell and curl" },
        port: { type: "string", value: "<n>", help: "Port of the test pods; the mesh's ingress must allow it (default 8080)" },
        nodes: { type: "string", value: "<n>", help: "Nodes of each cluster to run test pods on (default 3)" },
        settle: { type: "string", value: "<s>", help: "Seconds to wait for synchronization and failover (default 60)" },
    },
    report: VerifyReport,
    async run(context, options, [meshName]) {
        const numbers = {
            port: numberOption(options, "port"),
            nodesPerCluster: numberOption(options, "nodes"),
            settleSeconds: numberOption(options, "settle", 0),
        };
        const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
        const only = (options.only ?? []) as Part[];
        const project = readValidProject(context);
        // One mesh at a time: a report is about one, and its matrices have one set of clusters.
        const members = await joinedClusters(project, selectMesh(project, meshName, "<mesh>").stack, context);
        const { verify: verifyClusters } = await import("../verify.ts");
        const report = await verifyClusters(Object.fromEntries(members.map(({ name, kubeconfig }) => [name, kubeconfig])), {
            ...given,
            ...(only.length > 0 && { only }),
            ...(typeof options.image === "string" && { image: options.image }),
            signal: context.signal,
            log: context.log,
        });
        if (typeof options.junit === "string") writeFileSync(resolve(context.folder, options.junit), reportJunit(report));
        return { code: allPassed(report) ? 0 : 1, report, text: reportTable(report) };
    },
};

/** @throws Error unless the mesh is deployed with two clusters at least */
async function joinedClusters(project: Project, mesh: string, context: Context): Promise<PublishedCluster[]> {
    const [{ readDeployed }, { deployedMembers, meshGroups }] = await Promise.all([
        import("../engine/deployed.ts"),
        import("../engine/meshes.ts"),
    ]);
    const group = meshGroups(project, await readDeployed(project, context)).find((group) => group.mesh === mesh);
    const { members, problems } = group ? deployedMembers(group) : { members: [], problems: [] };
    if (members.length < 2) throw new Error([`mesh ${mesh} is not deployed: nothing to verify`, ...problems].join("\n"));
    return members;
}
