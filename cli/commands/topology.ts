import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { plannedMembers } from "../../core/plan/report.ts";
import type { Project } from "../../core/settings/project.ts";
import { problemList } from "../../core/text/problems.ts";
import { topologyMermaid } from "../../core/topology/mermaid.ts";
import { Topology, topology as topologyOf } from "../../core/topology/model.ts";
import { topologySvg } from "../../core/topology/svg.ts";
import { type Command, type Context, didYouMean, UsageError } from "../command.ts";
import { DEFAULT_PROJECT } from "../project/stack-files.ts";
import { choose } from "./up.ts";

/** A picture of the mesh. */
export const topology: Command<Topology> = {
    name: "topology",
    summary: "a picture of the mesh: clusters, VPCs, links and whether they are there",
    operands: "[<mesh>]",
    details: [
        "SVG for light and dark, or Mermaid for Markdown, from what the stacks have published; what is not deployed is drawn as planned. Links are as the",
        "state backend has them: AWS is not asked.",
    ].join("\n"),
    options: {
        mermaid: { type: "boolean", help: "Mermaid rather than SVG" },
        output: { type: "string", short: "o", value: "<file>", help: "where it is written (default: standard output)" },
        planned: { type: "boolean", help: "from the stack files alone: no state backend is asked, everything is drawn as planned" },
    },
    report: Topology,
    async run(context, options, operands) {
        if (operands.length > 1) throw new UsageError(`name one mesh stack, not ${operands.length}`);
        const { plan } = choose(context, [], { fit: false });
        const mesh = oneMesh(plan, operands[0]);
        const { members: planned, problems } = plannedMembers(mesh, plan, DEFAULT_PROJECT);
        if (problems.length > 0) throw new UsageError(problemList(problems));
        const known = options.planned ? { facts: [] } : await deployed(plan, mesh.stack, context);
        const report = topologyOf({ mesh: mesh.stack, network: mesh.config.network, planned }, known.facts, known.mesh);
        const picture = options.mermaid ? topologyMermaid(report) : topologySvg(report);
        if (typeof options.output !== "string") return { code: 0, report, text: picture.trimEnd() };
        writeFileSync(resolve(context.folder, options.output), picture);
        return { code: 0, report, text: "" };
    },
};

/** What the stacks have published. Why one cannot be read is told, and it is drawn as planned. */
async function deployed(plan: Project, mesh: string, context: Context) {
    const { readDeployed } = await import("../engine/deployed.ts");
    const stacks = await readDeployed(plan, context).catch((error) => {
        throw new Error(`${error.message}\n\`--planned\` draws the stack files alone`, { cause: error });
    });
    const unreadable = stacks
        .filter(({ resources }) => resources > 0)
        .flatMap(({ cluster, mesh }) => [cluster, mesh].filter((read) => typeof read === "string"));
    for (const reason of unreadable) context.log(reason);
    const facts = stacks.flatMap(({ cluster }) => (typeof cluster === "object" ? [cluster] : []));
    const outputs = stacks.find(({ stack, kind }) => kind === "mesh" && stack === mesh)?.mesh;
    return { facts, ...(typeof outputs === "object" && { mesh: outputs }) };
}

function oneMesh({ meshes }: Project, name: string | undefined): Project["meshes"][number] {
    const names = meshes.map(({ stack }) => stack);
    if (name === undefined && names.length > 1) throw new UsageError(`name the mesh: ${names.join(", ")}`);
    const mesh = name === undefined ? meshes[0] : meshes.find(({ stack }) => stack === name);
    if (mesh) return mesh;
    throw new UsageError(
        name === undefined
            ? "there is no mesh stack: write Pulumi.mesh.yaml first"
            : `there is no mesh stack ${name}${didYouMean(name, names)}`,
    );
}
