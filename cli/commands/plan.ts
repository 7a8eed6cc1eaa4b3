import { PlanReport, planReport } from "../../core/plan/report.ts";
import { planTable } from "../../core/plan/table.ts";
import { type Command, UsageError } from "../command.ts";
import { projectName, readProject } from "../project/stack-files.ts";

export const plan: Command<PlanReport> = {
    name: "plan",
    summary: "Show what the stack files would deploy: addresses, resources, quotas, cost",
    details:
        "Reads the stack files only: no credentials, no engine, nothing deployed. Reports all mistakes at\nonce, in each file and across files, and then exits with code 2. The monthly cost is the part that\ndoes not depend on traffic; what is charged by use is listed with its unit price.",
    options: {},
    report: PlanReport,
    async run({ folder }) {
        const project = readProject(folder);
        const { report, problems } = planReport(project, projectName(folder));
        const all = [...project.problems, ...problems];
        if (!report || all.length > 0) throw new UsageError(all, "stack files");
        if (report.clusters.length === 0)
            throw new UsageError(`${folder} has no stack file of a cluster: README.md shows how to write one`, "stack files");
        return { code: 0, report, text: planTable(report) };
    },
};
