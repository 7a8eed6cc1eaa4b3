import { columns } from "../text/columns.ts";
import { allPassed, CHECKS, type Finding, tally, type VerifyReport } from "./report.ts";

/** Findings of one kind that are written out; the rest is counted. */
const MOST_SHOWN = 5;

/** The report for people: node lists, readiness, the pair matrix with round-trip times, who answered the services, and what failed. */
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
                ["cluster", "agents whose list is whole", "nodes"],
                ...nodeLists.map((row) => [row.cluster, of(row.complete, row.agents), `${row.nodes}`]),
            ],
        ],
        [
            "agents that see the peer ready",
            matrix((cluster, peer) => {
                const found = readiness.find((row) => row.cluster === cluster && row.peer === peer);
                return found ? of(found.ready, found.agents) : "?";
            }),
        ],
        [
            "pods by IP: round trip, else how many node pairs passed",
            matrix((from, to) => {
                const found = pairs.find((pair) => pair.from === from && pair.to === to);
                if (!found || found.tried === 0) return "not tried";
                return found.passed === found.tried && found.roundTripMilliseconds !== null
                    ? `${found.roundTripMilliseconds.toFixed(2)} ms`
                    : of(found.passed, found.tried);
            }),
        ],
        [
            "services: answers to the clients in",
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

/** What failed in a check, the same reason between the same clusters once. */
function failures(title: string, findings: readonly Finding[]): string[] {
    const failed = findings.filter(({ outcome }) => outcome === "failed");
    if (failed.length === 0) return [];
    const kinds = [...Map.groupBy(failed, ({ subject, tried, why }) => [subject, tried, why].map(kindOf).join("|")).values()];
    const lines = kinds.slice(0, MOST_SHOWN).flatMap((same) => {
        const [first] = same;
        const more = same.length > 1 ? ` (and ${same.length - 1} more like it)` : "";
        return [
            `  ✖ ${first?.subject}${more}: ${first?.why}`,
            `    tried: ${first?.tried}`,
            ...(first?.next ? [`    next: ${first.next}`] : []),
        ];
    });
    const left = kinds.length - MOST_SHOWN;
    return [[`failed: ${title}`, ...lines, ...(left > 0 ? [`  ... and ${left} more`] : [])].join("\n")];
}

/** A mesh of which only some was asked for is not called proven. */
function conclusion(report: VerifyReport): string {
    if (!allPassed(report)) return "the mesh is NOT proven";
    const left = Object.keys(CHECKS).filter((check) => !report.checks.some(({ id }) => id === check));
    return left.length === 0 ? "the mesh is proven" : `what was tried holds (not tried: ${left.join(", ")})`;
}

/** "c1 → c2: no answer from" of "c1/node-a → c2/node-b: no answer from 10.0.1.2": without what differs between nodes. */
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
    return `${of(passed, findings.length)}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function of(some: number, all: number): string {
    return `${some} of ${all}`;
}
