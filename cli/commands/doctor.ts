import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { DoctorReport, diagnose, isWell } from "../../core/doctor/diagnose.ts";
import { doctorText } from "../../core/doctor/text.ts";
import type { Command } from "../command.ts";
import { choose } from "./up.ts";

/** What is wrong with a mesh, why, and the command that mends it. */
export const doctor: Command<DoctorReport> = {
    name: "doctor",
    summary: "finds out why a mesh is not one: symptom, cause, and the command that mends it",
    details: [
        "Looks at the stacks, AWS (through the AWS command line), the clusters' API servers and the agents, and changes nothing. docs/doctor.md lists all that it",
        "looks for. What could not be asked is told. --evidence writes what was looked at, without secrets: to go with a report of a fault.",
    ].join("\n"),
    options: { evidence: { type: "string", value: "<file>", help: "write all that was gathered, as JSON" } },
    report: DoctorReport,
    async run(context, { evidence: file }) {
        const start = performance.now();
        const { plan } = choose(context, [], { fit: false });
        const [{ readDeployed }, { gather }] = await Promise.all([import("../engine/deployed.ts"), import("../gather.ts")]);
        context.log("reading the stacks");
        const deployed = await readDeployed(plan, context);
        context.log("asking AWS, the API servers and the agents");
        const evidence = await gather(deployed, plan, context, "doctor");
        if (typeof file === "string")
            await writeFile(resolve(context.folder, file), `${JSON.stringify(evidence, undefined, 2)}\n`, { mode: 0o600 });
        const rules = diagnose(evidence);
        const clusters = evidence.clusters.map(({ facts }) => facts.name);
        const report = {
            version: 1 as const,
            gatheredAt: evidence.gatheredAt,
            seconds: (performance.now() - start) / 1000,
            clusters,
            rules,
        };
        return { code: isWell(rules) ? 0 : 1, report, text: doctorText(report) };
    },
};
