import type { DoctorReport } from "./diagnose.ts";

/** Findings of one rule that are printed; the rest is only counted. */
const MAX_SHOWN = 5;

/** The report as text: findings with the commands that fix them, causes first; then the rules that lacked evidence. */
export function doctorText({ rules, clusters, seconds }: DoctorReport): string {
    const failed = rules.filter(({ findings }) => findings.length > 0);
    const incomplete = rules.filter(({ unseen }) => unseen.length > 0);
    const count = failed.reduce((sum, { findings }) => sum + findings.length, 0);
    const where = `${clusters.join(", ") || "no cluster"} in ${seconds.toFixed(1)} s`;
    return [
        ...failed.map(ruleText),
        ...(incomplete.length > 0
            ? [["not checked, or only in part:", ...incomplete.map(({ id, unseen }) => `  ${id}: ${unseen[0]}`)].join("\n")]
            : []),
        count === 0
            ? `no problems found: ${rules.length} rules checked for ${where}`
            : `${count} ${count === 1 ? "problem" : "problems"} found by ${failed.length} of ${rules.length} rules, checked for ${where}`,
    ].join("\n\n");
}

/** "c1", with its mesh where there are several. */
export function subjectText({ mesh, subject }: { mesh?: string | undefined; subject: string }): string {
    return mesh && mesh !== subject ? `${mesh}: ${subject}` : subject;
}

function ruleText({ id, failure, looksAt, findings }: DoctorReport["rules"][number]): string {
    return [
        `✖ ${id}: ${failure}`,
        `  checked: ${looksAt}`,
        ...findings
            .slice(0, MAX_SHOWN)
            .flatMap(({ cause, remedy, because, ...finding }) => [
                `  ${subjectText(finding)}: ${finding.found}`,
                `    cause: ${because.length > 0 ? `${because.join(", ")}, above` : cause}`,
                ...remedy.map((command, i) => `    ${i === 0 ? "fix:  " : "      "}${command}`),
            ]),
        ...(findings.length > MAX_SHOWN ? [`  ... and ${findings.length - MAX_SHOWN} more`] : []),
    ].join("\n");
}
