import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { DoctorReport, diagnose, isWell } from "../../core/doctor/diagnose.ts";
import type { Evidence } from "../../core/doctor/evidence.ts";
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
        const [{ readDeployed }, { gatherByMesh }] = await Promise.all([import("../engine/deployed.ts"), import("../gather-meshes.ts")]);
        context.log("reading the stacks");
        const deployed = await readDeployed(project, context);
        context.log("querying AWS, the API servers and the agents");
        const evidence = await gatherByMesh(project, deployed, context, "doctor", mesh);
        const merged = mergeEvidence(evidence);
        if (typeof file === "string")
            await writeFile(resolve(context.folder, file), `${JSON.stringify(merged, undefined, 2)}\n`, { mode: 0o600 });
        const rules = mergeRules(evidence.map((meshEvidence) => diagnose(meshEvidence)));
        const report = {
            version: 1 as const,
            gatheredAt: merged.gatheredAt,
            seconds: (performance.now() - start) / 1000,
            clusters: merged.clusters.map(({ facts }) => facts.name),
            rules,
        };
        return { code: isWell(rules) ? 0 : 1, report, text: doctorText(report) };
    },
};

function mergeEvidence(meshes: readonly Evidence[]): Evidence {
    return {
        version: 1,
        gatheredAt:
            meshes
                .map(({ gatheredAt }) => gatheredAt)
                .toSorted()
                .at(-1) ?? new Date().toISOString(),
        stacks: meshes.flatMap(({ stacks }) => stacks),
        meshes: meshes.flatMap(({ meshes }) => meshes),
        clusters: meshes.flatMap(({ clusters }) => clusters),
    };
}

/** The findings of all meshes, rule by rule. */
function mergeRules(meshes: readonly DoctorReport["rules"][]): DoctorReport["rules"] {
    return (meshes[0] ?? []).map((rule, i) => ({
        ...rule,
        findings: meshes.flatMap((rules) => rules[i]?.findings ?? []),
        unseen: [...new Set(meshes.flatMap((rules) => rules[i]?.unseen ?? []))],
    }));
}
