import { readFileSync, writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { planReport } from "../../core/plan/report.ts";
import { shortStackName, stackFile } from "../../core/stack-names.ts";
import { problemList } from "../../core/text/problems.ts";
import { type Command, type Context, didYouMean, type Option, UsageError } from "../command.ts";
import { OperationReport, operate } from "../operation.ts";
import { withMember, withoutMember } from "../project/mesh-file.ts";
import { DEFAULT_PROJECT, readProject } from "../project/stack-files.ts";
import { choose } from "./up.ts";

const MESH: Record<string, Option> = { mesh: { type: "string", value: "<stack>", help: "which mesh, where the folder has several" } };

/** A cluster comes. */
export const join: Command<OperationReport> = {
    name: "join",
    summary: "lets a cluster into the mesh: its name in the mesh's file, then `up` of both",
    operands: "<stack>",
    details:
        "The cluster's own stack file must be there. Refused before anything is written if the clusters do not fit together as far as files can tell.",
    options: MESH,
    report: OperationReport,
    async run(context, options, operands) {
        const { cluster, mesh, members } = oneCluster(context, operands, options.mesh);
        if (!members.includes(cluster)) editMesh(context, mesh, (text) => withMember(text, cluster), `${cluster} is added`);
        const { deployMesh } = await import("../engine/driver.ts");
        return operate(context, { name: "up", stacks: { clusters: [cluster], meshes: [mesh] }, run: deployMesh });
    },
};

/** A cluster goes. */
export const leave: Command<OperationReport> = {
    name: "leave",
    summary: "takes a cluster out of the mesh: out of the mesh's file, then `up` of the mesh",
    operands: "<stack>",
    details:
        "The others forget the cluster first; then routes, rules and peering go. The cluster itself stays: `destroy <stack>` removes it.",
    options: MESH,
    report: OperationReport,
    async run(context, options, operands) {
        const { cluster, mesh, members } = oneCluster(context, operands, options.mesh);
        const rest = members.filter((name) => name !== cluster);
        if (rest.length < 2)
            throw new UsageError(
                `without ${cluster} the mesh ${mesh} has only ${rest.join(", ") || "no cluster"}: \`clustermesh destroy ${mesh}\` ends a mesh`,
            );
        if (members.includes(cluster)) editMesh(context, mesh, (text) => withoutMember(text, cluster), `${cluster} is taken out`);
        const { deployMesh } = await import("../engine/driver.ts");
        return operate(context, { name: "up", stacks: { clusters: [], meshes: [mesh] }, run: deployMesh });
    },
};

/** @throws UsageError unless there is one cluster, and one mesh that may be meant */
export function oneCluster(
    context: Pick<Context, "folder">,
    operands: readonly string[],
    given: unknown,
): { cluster: string; mesh: string; members: string[] } {
    const [cluster] = operands;
    if (!cluster || operands.length > 1) throw new UsageError(`name one cluster stack, not ${operands.length}`);
    const {
        plan,
        stacks: { clusters, meshes },
    } = choose(context, [], { fit: false });
    if (!clusters.includes(cluster)) throw new UsageError(`there is no cluster stack ${cluster}${didYouMean(cluster, clusters)}`);
    const mesh = typeof given === "string" ? given : meshes.length === 1 ? meshes[0] : undefined;
    if (!mesh)
        throw new UsageError(
            meshes.length === 0 ? "there is no mesh stack: write Pulumi.mesh.yaml first" : `name the mesh by --mesh: ${meshes.join(", ")}`,
        );
    if (!meshes.includes(mesh)) throw new UsageError(`there is no mesh stack ${mesh}${didYouMean(mesh, meshes)}`);
    const members = plan.meshes.find(({ stack }) => stack === mesh)?.config.clusters.map(shortStackName) ?? [];
    return { cluster, mesh, members };
}

/** Edits the mesh's file. @throws UsageError when the mesh would be wrong then; the file is left as it was */
export function editMesh(
    { folder, log }: Pick<Context, "folder" | "log">,
    mesh: string,
    edit: (text: string) => string,
    what: string,
): void {
    const name = stackFile(mesh);
    const file = path(folder, name);
    const before = readFileSync(file, "utf8");
    writeFileSync(file, edit(before));
    const files = readProject(folder);
    const problems = [...files.problems, ...planReport(files, DEFAULT_PROJECT).problems];
    if (problems.length > 0) {
        writeFileSync(file, before);
        throw new UsageError(problemList(problems));
    }
    log(`${name}: ${what}`);
}
