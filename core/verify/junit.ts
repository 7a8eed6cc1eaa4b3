import { escapeXml } from "../text/xml.ts";
import { type Finding, tally, type VerifyReport } from "./report.ts";

/** The report as JUnit XML for CI systems: one suite per check, one case per finding. */
export function reportJunit(report: VerifyReport): string {
    const suites = report.checks.map(({ id, title, seconds, findings }) => {
        const { failed, skipped } = tally(findings);
        const about = { name: title, tests: findings.length, failures: failed, errors: 0, skipped, time: seconds.toFixed(3) };
        return element(
            "testsuite",
            { ...about, timestamp: report.startedAt },
            findings.map((finding) => testCase(id, finding)),
        );
    });
    const all = tally(report.checks.flatMap(({ findings }) => findings));
    const totals = {
        tests: all.passed + all.failed + all.skipped,
        failures: all.failed,
        skipped: all.skipped,
        time: report.seconds.toFixed(3),
    };
    return `<?xml version="1.0" encoding="UTF-8"?>\n${element("testsuites", { name: "clustermesh verify", ...totals }, suites)}`;
}

function testCase(check: string, { subject, tried, outcome, why = "", next }: Finding): string {
    const name = `${subject}: ${tried}`;
    const detail = escapeXml([why, ...(next ? [`next: ${next}`] : [])].join("\n"));
    const inner = {
        passed: [],
        failed: [element("failure", { message: why }, [detail])],
        skipped: [element("skipped", { message: why }, [])],
    };
    return element("testcase", { classname: `verify.${check}`, name }, inner[outcome]);
}

function element(name: string, attributes: Record<string, string | number>, inner: readonly string[]): string {
    const head = [name, ...Object.entries(attributes).map(([key, value]) => `${key}="${escapeXml(`${value}`)}"`)].join(" ");
    return inner.length > 0 ? `<${head}>${inner.join("")}</${name}>\n` : `<${head}/>\n`;
}
