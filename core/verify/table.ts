import { columns } from "../text/columns.ts";
import { allPassed, CHECKS, type Finding, tally, type VerifyReport } from "./report.ts";

/** Failures of one check that are printed; the rest is only counted. */
const MAX_SHOWN = 5;

/** The report as text: node lists, readiness, pairs with round-trip times, answers of the services, and failures. */
export function reportTable(report: VerifyReport): string {
    const { clusters, checks, readiness, nodeLists, pairs, services } = report;
    const matrix = (cell: (from: string, to: string) => string) => [
        ["from \\ to", ...clusters],
        ...clusters.map((from) => [from, ...clusters.map((to) => (from === to ? "-" : cell(from, to)))]),
    ];
    const sections: [string, string[][]][] = [
        [
            "node lists",
            [
                ["cluster", "agents with a complete list", "nodes"],
                ...nodeLists.map((row) => [row.cluster, outOf(row.complete, row.agents), `${row.nodes}`]),
            ],
        ],
        [
            "agents that see the peer ready",
            matrix((cluster, peer) => {
                const found = readiness.find((row) => row.cluster === cluster && row.peer === peer);
                return found ? outOf(found.ready, found.agents) : "?";
            }),
        ],
        [
            "pods by IP: round trip, or node pairs that passed",
            matrix((from, to) => {
                const found = pairs.find((pair) => pair.from === from && pair.to === to);
                if (!found || found.tried === 0) return "not tested";
                return found.passed === found.tried && found.roundTripMilliseconds !== null
                    ? `${found.roundTripMilliseconds.toFixed(2)} ms`
                    : outOf(found.passed, found.tried);
            }),
        ],
        [
            "services: answers by cluster, for the clients in each cluster",
            [
                ["cluster", "service", ...clusters],
                ...services.map((row) => [row.cluster, row.service, ...clusters.map((by) => `${row.answers[by] ?? 0}`)]),
            ],
        ],
        ["checks", checks.map(({ title, findings, seconds }) => [verdict(findings), title, counts(findings), `${seconds.toFixed(1)} s`])],
    ];
    return [
        ...sections.filter(([, rows]) => rows.length > 0).map(([title, rows]) => `${title}\n${columns(rows, "  ")}`),
        ...checks.flatMap(({ title, findings }) => failures(title, findings)),
        `${conclusion(report)}: ${clusters.join(", ")}, in ${report.seconds.toFixed(1)} s`,
    ].join("\n\n");
}

/** The failures of a check. Failures with the same reason between the same clusters are printed once. */
function failures(title: string, findings: readonly Finding[]): string[] {
    const failed = findings.filter(({ outcome }) => outcome === "failed");
    if (failed.length === 0) return [];
    const kinds = [...Map.groupBy(failed, ({ subject, tried, why }) => [subject, tried, why].map(kindOf).join("|")).values()];
    const lines = kinds.slice(0, MAX_SHOWN).flatMap((same) => {
        const [first] = same;
        const more = same.length > 1 ? ` (and ${same.length - 1} more like it)` : "";
        return [
            `  ✖ ${first?.subject}${more}: ${first?.why}`,
            `    tried: ${first?.tried}`,
            ...(first?.next ? [`    next: ${first.next}`] : []),
        ];
    });
    const hidden = kinds.length - MAX_SHOWN;
    return [[`failed: ${title}`, ...lines, ...(hidden > 0 ? [`  ... and ${hidden} more`] : [])].join("\n")];
}

/** A run of some checks only does not verify the whole mesh. */
function conclusion(report: VerifyReport): string {
    if (!allPassed(report)) return "mesh NOT verified";
    const missing = Object.keys(CHECKS).filter((check) => !report.checks.some(({ id }) => id === check));
    return missing.length === 0 ? "mesh verified" : `checks passed (not run: ${missing.join(", ")})`;
}

/** Removes what differs between nodes: "c1 → c2: no answer from" of "c1/node-a → c2/node-b: no answer from 10.0.1.2". */
function kindOf(text = ""): string {
    return text.replaceAll(/\/[^\s:]+|\d+(\.\d+){3}/g, "");
}

function verdict(findings: readonly Finding[]): string {
    const { passed, failed } = tally(findings);
    if (failed > 0) return "✖";
    return passed > 0 && passed === findings.length ? "✓" : "-";
}

function counts(findings: readonly Finding[]): string {
    const { passed, skipped } = tally(findings);
    return `${outOf(passed, findings.length)}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function outOf(count: number, all: number): string {
    return `${count} of ${all}`;
}
