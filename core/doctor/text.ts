import type { DoctorReport } from "./diagnose.ts";

/** Findings of one rule that are written out; the rest is counted. */
const MOST_SHOWN = 5;

/** The report for people: what was found, causes first, each with the command that mends it; then what could not be judged. */
export function doctorText({ rules, clusters, seconds }: DoctorReport): string {
    const found = rules.filter(({ findings }) => findings.length > 0);
    const blind = rules.filter(({ unseen }) => unseen.length > 0);
    const count = found.reduce((sum, { findings }) => sum + findings.length, 0);
    return [
        ...found.map(({ id, failure, looksAt, findings }) =>
            [
                `✖ ${id}: ${failure}`,
                `  looked at: ${looksAt}`,
                ...findings
                    .slice(0, MOST_SHOWN)
                    .flatMap(({ subject, found, cause, remedy, because }) => [
                        `  ${subject}: ${found}`,
                        `    cause: ${because.length > 0 ? `${because.join(", ")}, above` : cause}`,
                        ...remedy.map((command, i) => `    ${i === 0 ? "mend: " : "      "} ${command}`),
                    ]),
                ...(findings.length > MOST_SHOWN ? [`  ... and ${findings.length - MOST_SHOWN} more`] : []),
            ].join("\n"),
        ),
        ...(blind.length > 0 ? [["not judged, or in part:", ...blind.map(({ id, unseen }) => `  ${id}: ${unseen[0]}`)].join("\n")] : []),
        count === 0
            ? `nothing found: ${rules.length} kinds of failure looked for in ${clusters.join(", ") || "no cluster"}, in ${seconds.toFixed(1)} s`
            : `${count} found, of ${found.length} kinds of failure; ${rules.length} looked for in ${clusters.join(", ")}, in ${seconds.toFixed(1)} s`,
    ].join("\n\n");
}
