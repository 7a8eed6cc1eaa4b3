import type { Command } from "../command.ts";
import { operate } from "../operation/operate.ts";
import { OperationReport } from "../operation/report.ts";
import { editMesh, MESH_OPTION, membership } from "../project/membership.ts";
import { withMember } from "../project/mesh-file.ts";

export const join: Command<OperationReport> = {
    name: "join",
    summary: "Add a cluster to the mesh: edit the mesh's file, then run `up` on both",
    operands: "<cluster>",
    details:
        "The cluster's own stack file must exist. Nothing is written if the stack files show that the\nclusters do not fit together. Run it again after a failure to continue.",
    options: MESH_OPTION,
    report: OperationReport,
    async run(context, options, [name = ""]) {
        const { cluster, mesh, members } = membership(context, name, options.mesh);
        if (!members.includes(cluster)) editMesh(context, mesh, (text) => withMember(text, cluster), `added ${cluster}`);
        const { deployMesh } = await import("../engine/driver.ts");
        return operate(context, { name: "up", stacks: { clusters: [cluster], meshes: [mesh] }, run: deployMesh });
    },
};
