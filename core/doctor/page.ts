import { RULES } from "./diagnose.ts";
import type { Rule } from "./rule.ts";

/** Columns of a line in docs/. */
const WIDTH = 100;

const INTRODUCTION = `
Use \`npx clustermesh doctor\` to find out why a mesh does not work, and \`npx clustermesh status\` to see its state on one screen.
`;

const DOCTOR = `
Doctor reads the stacks, AWS, every cluster's API server and every agent. It changes nothing. It exits with 0 when it finds no problem, and with 1 otherwise. For
each problem it shows the clusters concerned, the actual and the expected state, the cause, and the command that fixes it. Causes come first, and symptoms refer to
them. Several meshes in one project are judged separately.

- AWS is read with the AWS CLI, which kubeconfigs need anyway, with your own credentials and profile, and with the \`assumeRole\` of each cluster that has one. Doctor needs \`ec2:Describe*\` and \`elasticloadbalancing:Describe*\`.
- In Kubernetes it needs \`get\` and \`list\` in kube-system and on nodes, pods and CiliumEndpoints, and \`create\` on \`pods/exec\`.
- A request that fails is not a failure of the mesh, but it is reported: as \`kubernetes-silent\` or \`aws-silent\` with the reason, and by each rule that lacked evidence.
- \`--evidence <file>\` writes everything that doctor has read, as JSON: of certificates only public fields, no keys, no tokens, no kubeconfigs. It contains addresses, and names of nodes and pods.
- \`--json\` prints the report only. \`npx clustermesh help doctor --json\` prints its schema. The ids below are stable.
`;

const STATUS = `
Status prints one line per cluster and pair: the result of the stacks' last operations, ready agents, agents that see the other cluster, days until certificates
expire, load balancer and link. It applies the same rules to less evidence (no routes, security group rules, pods, Secrets or node lists), and exits with 1 when it
finds a problem. \`--watch\` repeats it until Ctrl-C.
`;

const LIMITS = `
Doctor sends no packets, so it does not detect a path that carries small packets and loses large ones, or source NAT by something other than the VPC CNI. Use
\`npx clustermesh verify\` for that. It does not read routes within Transit Gateways, network ACLs, or policies that drop traffic intentionally.
`;

/** docs/doctor.md, from the rules. */
export function doctorPage(rules: readonly Rule[] = RULES): string {
    return [
        "# Doctor and status",
        "<!-- Generated from core/doctor/ by npm run generate. Do not edit. -->",
        wrapped(INTRODUCTION),
        "## Doctor",
        wrapped(DOCTOR),
        "## Status",
        wrapped(STATUS),
        "## What doctor does not detect",
        wrapped(LIMITS),
        "## Rules",
        ...rules.flatMap(section),
        "",
    ]
        .join("\n\n")
        .replace(/\n+$/, "\n");
}

function section({ id, failure, looksAt, cause, remedy, symptom }: Rule): string[] {
    return [
        `### ${id}`,
        wrapped(`${failure}${symptom ? " A symptom: failures between the same clusters are reported as its cause." : ""}`),
        wrapped(`- Checks: ${looksAt}.\n- Cause: ${cause}`),
        ["Fix:", "", "```text", ...remedy, "```"].join("\n"),
    ];
}

/** Paragraphs and list items, each wrapped at `WIDTH` columns. */
function wrapped(text: string): string {
    return text
        .trim()
        .split(/\n\n/)
        .map((block) =>
            block
                .replaceAll(/\n(?!- )/g, " ")
                .split("\n")
                .map(wrapLine)
                .join("\n"),
        )
        .join("\n\n");
}

function wrapLine(text: string): string {
    const indent = text.startsWith("- ") ? "  " : "";
    const lines: string[] = [];
    for (const word of text.split(" ")) {
        const line = lines.at(-1);
        if (line !== undefined && line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`;
        else lines.push(lines.length === 0 ? word : `${indent}${word}`);
    }
    return lines.join("\n");
}
