import { type Command, UsageError } from "../command.ts";
import { operate } from "../operation/operate.ts";
import { OperationReport } from "../operation/report.ts";
import { editMesh, MESH_OPTION, membership } from "../project/membership.ts";
import { withoutMember } from "../project/mesh-file.ts";

export const leave: Command<OperationReport> = {
    name: "leave",
    summary: "Remove a cluster from the mesh: edit the mesh's file, then run `up` on it",
    operands: "<cluster>",
    details:
        "The other clusters forget the cluster first; then its routes, rules and peerings are deleted. The\ncluster itself remains: `destroy <cluster>` deletes it. Run it again after a failure to continue.",
    options: MESH_OPTION,
    report: OperationReport,
    async run(context, options, [name = ""]) {
        const { cluster, mesh, members } = membership(context, name, options.mesh);
        const rest = members.filter((member) => member !== cluster);
        if (rest.length < 2)
            throw new UsageError(
                `without ${cluster} the mesh ${mesh} would have fewer than two clusters (${rest.join(", ") || "none"}): run \`clustermesh destroy ${mesh}\` to end the mesh`,
            );
        if (members.includes(cluster)) editMesh(context, mesh, (text) => withoutMember(text, cluster), `removed ${cluster}`);
        const { deployMesh } = await import("../engine/driver.ts");
        return operate(context, { name: "up", stacks: { clusters: [], meshes: [mesh] }, run: deployMesh });
    },
};
