import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { DoctorReport, diagnose, isHealthy } from "../../core/doctor/diagnose.ts";
import { doctorText } from "../../core/doctor/text.ts";
import type { Command } from "../command.ts";
import { readValidProject, selectMesh } from "../project/selection.ts";

export const doctor: Command<DoctorReport> = {
    name: "doctor",
    summary: "Diagnose a broken mesh: symptom, cause, and the command that fixes it",
    operands: "[<mesh>]",
    details:
        "Examines the stacks, AWS (through the AWS CLI), the clusters' API servers and the agents of every\nmesh, or of the one named. Changes nothing. Reports what it could not examine. docs/doctor.md lists\neverything it looks for.",
    options: {
        evidence: { type: "string", value: "<file>", help: "Write everything gathered as JSON, without secrets, for a bug report" },
    },
    report: DoctorReport,
    async run(context, { evidence: file }, [meshName]) {
        const start = performance.now();
        const project = readValidProject(context);
        const mesh = meshName === undefined ? undefined : selectMesh(project, meshName, "<mesh>").stack;
        const [{ readDeployed }, { stacksOf }, { gather }] = await Promise.all([
            import("../engine/deployed.ts"),
            import("../engine/meshes.ts"),
            import("../gather.ts"),
        ]);
        context.log("reading the stacks");
        const deployed = await readDeployed(project, context);
        context.log("querying AWS, the API servers and the agents");
        const evidence = await gather(stacksOf(mesh, project, deployed), project, context, "doctor");
        if (typeof file === "string")
            await writeFile(resolve(context.folder, file), `${JSON.stringify(evidence, undefined, 2)}\n`, { mode: 0o600 });
        const rules = diagnose(evidence);
        const report = {
            version: 1 as const,
            gatheredAt: evidence.gatheredAt,
            seconds: (performance.now() - start) / 1000,
            clusters: evidence.clusters.map(({ facts }) => facts.name),
            rules,
        };
        return { code: isHealthy(rules) ? 0 : 1, report, text: doctorText(report) };
    },
};
