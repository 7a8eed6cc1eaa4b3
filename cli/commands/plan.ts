import { PlanReport, planReport } from "../../core/plan/report.ts";
import { planTable } from "../../core/plan/table.ts";
import { problemList } from "../../core/text/problems.ts";
import { type Command, UsageError } from "../command.ts";
import { DEFAULT_PROJECT, readProject } from "../project/stack-files.ts";

/** What the stack files come to. */
export const plan: Command<PlanReport> = {
    name: "plan",
    summary: "what the stack files come to: members, addresses, pairs, resources, quotas, cost",
    details: [
        "Reads the stack files alone: no credentials, no engine, nothing deployed. All that is wrong with them, alone and with each other, is told at once",
        "and ends with 2. Costs are of what is there whatever the traffic; what is paid by use stands beside, by its price.",
    ].join("\n"),
    options: {},
    report: PlanReport,
    async run({ folder }) {
        const files = readProject(folder);
        const { report, problems } = planReport(files, DEFAULT_PROJECT);
        const all = [...files.problems, ...problems];
        if (!report || all.length > 0) throw new UsageError(problemList(all));
        if (report.clusters.length === 0) throw new UsageError(`${folder} has no stack file of a cluster: see README.md`);
        return { code: 0, report, text: planTable(report) };
    },
};
