import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { plannedMembers } from "../../core/plan/report.ts";
import type { Project } from "../../core/settings/project.ts";
import { topologyMermaid } from "../../core/topology/mermaid.ts";
import { Topology, topology as topologyOf } from "../../core/topology/model.ts";
import { topologySvg } from "../../core/topology/svg.ts";
import { type Command, type Context, UsageError } from "../command.ts";
import { readValidProject, selectMesh } from "../project/selection.ts";
import { projectName } from "../project/stack-files.ts";

export const topology: Command<Topology> = {
    name: "topology",
    summary: "Draw the mesh: clusters, VPCs and links, as SVG or Mermaid",
    operands: "[<mesh>]",
    details:
        "Draws what the stacks have published; whatever is not deployed is drawn as planned. The state of\nlinks is that of the state backend: AWS is not queried. The SVG suits light and dark backgrounds.",
    options: {
        mermaid: { type: "boolean", help: "Write Mermaid, for Markdown, instead of SVG" },
        output: { type: "string", short: "o", value: "<file>", help: "Write to this file (default: standard output)" },
        planned: { type: "boolean", help: "Use the stack files only; draw everything as planned" },
    },
    report: Topology,
    async run(context, options, [meshName]) {
        const project = readValidProject(context);
        const mesh = selectMesh(project, meshName, "<mesh>");
        const { members: planned, problems } = plannedMembers(mesh, project, projectName(context.folder));
        if (problems.length > 0) throw new UsageError(problems, "stack files");
        const known = options.planned ? { facts: [] } : await deployedFacts(project, mesh.stack, context);
        const report = topologyOf({ mesh: mesh.stack, network: mesh.config.network, planned }, known.facts, known.mesh);
        const drawing = options.mermaid ? topologyMermaid(report) : topologySvg(report);
        if (typeof options.output !== "string") return { code: 0, report, text: drawing.trimEnd() };
        writeFileSync(resolve(context.folder, options.output), drawing);
        return { code: 0, report, text: "" };
    },
};

/** What the stacks of a mesh have published. Logs why a stack cannot be read; such a stack is drawn as planned. */
async function deployedFacts(project: Project, mesh: string, context: Context) {
    const [{ readDeployed }, { meshGroups }] = await Promise.all([import("../engine/deployed.ts"), import("../engine/meshes.ts")]);
    const deployed = await readDeployed(project, context).catch((error) => {
        throw new Error(`${error.message}\nUse --planned to draw the stack files only.`, { cause: error });
    });
    const stacks = meshGroups(project, deployed).find((group) => group.mesh === mesh)?.stacks ?? [];
    const unreadable = stacks
        .filter(({ resources }) => resources > 0)
        .flatMap(({ cluster, mesh }) => [cluster, mesh].filter((outputs) => typeof outputs === "string"));
    for (const reason of unreadable) context.log(reason);
    const facts = stacks.flatMap(({ cluster }) => (typeof cluster === "object" ? [cluster] : []));
    const outputs = stacks.find(({ kind }) => kind === "mesh")?.mesh;
    return { facts, ...(typeof outputs === "object" && { mesh: outputs }) };
}
