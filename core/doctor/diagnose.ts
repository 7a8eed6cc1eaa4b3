import { z } from "zod";
import type { Evidence, Known } from "./evidence.ts";
import type { Finding, Rule, See } from "./rule.ts";
import { CERTIFICATE_RULES } from "./rules-certificates.ts";
import { CILIUM_RULES } from "./rules-cilium.ts";
import { NETWORK_RULES } from "./rules-network.ts";
import { POD_RULES } from "./rules-pods.ts";
import { SECRET_RULES } from "./rules-secrets.ts";
import { STACK_RULES } from "./rules-stacks.ts";
import { SYMPTOM_RULES } from "./rules-symptoms.ts";

/** All that doctor knows of, causes before their symptoms. */
export const RULES: readonly Rule[] = [
    ...STACK_RULES,
    ...NETWORK_RULES,
    ...SECRET_RULES,
    ...CERTIFICATE_RULES,
    ...CILIUM_RULES,
    ...POD_RULES,
    ...SYMPTOM_RULES,
];

const Found = z.strictObject({
    subject: z.string(),
    found: z.string(),
    cause: z.string(),
    remedy: z.array(z.string()),
    clusters: z.array(z.string()),
    /** Ids of the failures between the same clusters of which this one is a consequence. */
    because: z.array(z.string()),
});

/** What doctor prints by `--json`. `version` rises when a field changes its meaning or goes away. */
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
            findings: z.array(Found),
            /** Why some of what it looks at could not be had: it has judged the rest. */
            unseen: z.array(z.string()),
        }),
    ),
});

export type DoctorReport = z.infer<typeof DoctorReport>;

/** Holds the evidence against every rule. */
export function diagnose(evidence: Evidence, rules: readonly Rule[] = RULES): DoctorReport["rules"] {
    const judged = rules.map((rule) => {
        const unseen = new Set<string>();
        const see: See = <T>(part: Known<T>) => {
            if ("value" in part) return part.value;
            unseen.add(part.unknown);
            return undefined;
        };
        return { rule, findings: rule.find(evidence, see), unseen: [...unseen] };
    });
    const causes = judged
        .filter(({ rule }) => !rule.symptom)
        .flatMap(({ rule, findings }) => findings.map((finding) => ({ id: rule.id, finding })));
    return judged.map(({ rule: { id, failure, looksAt, symptom }, findings, unseen }) => ({
        id,
        failure,
        looksAt,
        findings: findings.map((finding) => ({ ...finding, because: symptom ? reasons(finding, causes) : [] })),
        unseen,
    }));
}

/** Whether nothing was found. */
export function isWell(rules: DoctorReport["rules"]): boolean {
    return rules.every(({ findings }) => findings.length === 0);
}

/** Failures that concern every cluster between which the symptom is. */
function reasons({ clusters }: Finding, causes: readonly { id: string; finding: Finding }[]): string[] {
    const between = causes.filter(
        ({ finding }) =>
            clusters.some((name) => finding.clusters.includes(name)) && finding.clusters.every((name) => clusters.includes(name)),
    );
    return [...new Set(between.map(({ id }) => id))];
}
