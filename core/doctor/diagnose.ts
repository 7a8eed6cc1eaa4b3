import { z } from "zod";
import type { Evidence, Known } from "./evidence.ts";
import type { Finding, Read, Rule } from "./rule.ts";
import { CERTIFICATE_RULES } from "./rules-certificates.ts";
import { CILIUM_RULES } from "./rules-cilium.ts";
import { NETWORK_RULES } from "./rules-network.ts";
import { POD_RULES } from "./rules-pods.ts";
import { SECRET_RULES } from "./rules-secrets.ts";
import { STACK_RULES } from "./rules-stacks.ts";
import { SYMPTOM_RULES } from "./rules-symptoms.ts";
import { type Scope, scopesOf } from "./scope.ts";

/** All rules of doctor, causes before their symptoms. */
export const RULES: readonly Rule[] = [
    ...STACK_RULES,
    ...NETWORK_RULES,
    ...SECRET_RULES,
    ...CERTIFICATE_RULES,
    ...CILIUM_RULES,
    ...POD_RULES,
    ...SYMPTOM_RULES,
];

const ReportedFinding = z.strictObject({
    /** Stack of the mesh; only where the project has several meshes. */
    mesh: z.string().optional(),
    subject: z.string(),
    found: z.string(),
    cause: z.string(),
    remedy: z.array(z.string()),
    clusters: z.array(z.string()),
    /** Ids of failures between the same clusters that cause this one. */
    because: z.array(z.string()),
});

/** What doctor prints with `--json`. `version` increases when a field changes its meaning or is removed. */
export const DoctorReport = z.strictObject({
    version: z.literal(1),
    gatheredAt: z.iso.datetime(),
    seconds: z.number(),
    clusters: z.array(z.string()),
    rules: z.array(
        z.strictObject({
            id: z.string(),
            failure: z.string(),
            looksAt: z.string(),
            findings: z.array(ReportedFinding),
            /** Why a part of its evidence is missing. The rule has judged the rest. */
            unseen: z.array(z.string()),
        }),
    ),
});

export type DoctorReport = z.infer<typeof DoctorReport>;
type ReportedFinding = z.infer<typeof ReportedFinding>;

/** Applies every rule to the evidence, mesh by mesh. */
export function diagnose(evidence: Evidence, rules: readonly Rule[] = RULES): DoctorReport["rules"] {
    const several = evidence.meshes.length > 1;
    const judged = scopesOf(evidence).map((scope) => judge(scope, rules, several));
    return rules.map(({ id, failure, looksAt }) => {
        const results = judged.flatMap((scope) => scope.filter(({ rule }) => rule.id === id));
        return {
            id,
            failure,
            looksAt,
            findings: results.flatMap(({ findings }) => findings),
            unseen: [...new Set(results.flatMap(({ unseen }) => unseen))],
        };
    });
}

/** Whether nothing was found. */
export function isHealthy(rules: DoctorReport["rules"]): boolean {
    return rules.every(({ findings }) => findings.length === 0);
}

function judge(scope: Scope, rules: readonly Rule[], withMesh: boolean): { rule: Rule; findings: ReportedFinding[]; unseen: string[] }[] {
    const results = rules.map((rule) => {
        const unseen: string[] = [];
        const read: Read = <T>(part: Known<T>) => {
            if ("value" in part) return part.value;
            unseen.push(part.unknown);
            return undefined;
        };
        return { rule, findings: rule.find(scope, read), unseen };
    });
    const causes = results
        .filter(({ rule }) => !rule.symptom)
        .flatMap(({ rule, findings }) => findings.map((finding) => ({ id: rule.id, finding })));
    return results.map(({ rule, findings, unseen }) => ({
        rule,
        unseen,
        findings: findings.map((finding) => ({
            ...(withMesh && scope.mesh && { mesh: scope.mesh.stack }),
            ...finding,
            cause: finding.cause ?? rule.cause,
            because: rule.symptom ? causesOf(finding, causes) : [],
        })),
    }));
}

/** Ids of the failures that concern only clusters of the symptom, and at least one of them. */
function causesOf({ clusters }: Finding, causes: readonly { id: string; finding: Finding }[]): string[] {
    const between = causes.filter(
        ({ finding }) =>
            clusters.some((name) => finding.clusters.includes(name)) && finding.clusters.every((name) => clusters.includes(name)),
    );
    return [...new Set(between.map(({ id }) => id))];
}
