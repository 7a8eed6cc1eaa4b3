import { newCluster } from "../../core/scaffold/mesh.ts";
import { stackFile } from "../../core/stack-names.ts";
import { type Command, UsageError } from "../command.ts";
import { existingFiles, stackFileTexts, writeNewFiles } from "../project/new-files.ts";
import { clusterTable, commandIn, ScaffoldReport } from "../project/scaffold-report.ts";
import { projectName, readProject } from "../project/stack-files.ts";

export const add: Command<ScaffoldReport> = {
    name: "add",
    summary: "Write the stack file of one more cluster, with the next free id and CIDR",
    operands: "<new-stack>",
    details: [
        "The VPC has the size of the other clusters' VPCs. Settings on which all other clusters agree are",
        "copied. Deploys nothing and overwrites no file. `clustermesh join <new-stack>` then deploys the",
        "cluster and adds it to the mesh.",
    ].join("\n"),
    options: {
        region: { type: "string", value: "<region>", help: "AWS region of the cluster (required)" },
        supernet: {
            type: "string",
            value: "<cidr>",
            help: "Take the VPC from this CIDR (default: the next free block)",
        },
    },
    report: ScaffoldReport,
    async run({ folder }, { region, supernet }, [stack = ""]) {
        if (typeof region !== "string") throw new UsageError(`--region is required: clustermesh add ${stack} --region eu-central-1`);
        const existing = readProject(folder);
        const scaffold = newCluster(stack, region, existing, projectName(folder), typeof supernet === "string" ? supernet : undefined);
        const problems = [...existingFiles(folder, [stackFile(stack)]), ...scaffold.problems];
        if (problems.length > 0) throw new UsageError(problems, "stack files");
        const texts = stackFileTexts(folder, scaffold);
        writeNewFiles(folder, texts);
        const mesh = existing.meshes.length > 1 ? " --mesh <mesh>" : "";
        const next = [commandIn(folder, `join ${stack}${mesh}`)];
        const clusters = [...scaffold.clusters];
        const text = [
            `Wrote ${stackFile(stack)}. Review it: name, id and vpcCidr cannot be changed after the cluster is deployed.`,
            "",
            clusterTable(clusters),
            "",
            "Next:",
            `  ${next[0]}   # deploy the cluster and add it to the mesh`,
        ].join("\n");
        return { code: 0, report: { version: 1, files: [...texts.keys()], clusters, next }, text };
    },
};
