import { type Known, LEFT_OUT, type StackEvidence } from "./evidence.ts";
import { about, few, type Rule } from "./rule.ts";

const stack = ({ stack }: StackEvidence) => ({ subject: stack, clusters: [] });

/** Not every backend tells of a lock. */
const isRunning = ({ locked, last }: StackEvidence) => locked || last?.result === "in-progress";

export const STACK_RULES: readonly Rule[] = [
    {
        id: "stack-absent",
        failure: "A stack of the project has never been deployed, or was destroyed.",
        looksAt: "the state backend",
        find: ({ stacks }) =>
            stacks
                .filter(({ last }) => !last || (last.kind === "destroy" && last.result === "succeeded"))
                .map((one) => ({
                    ...stack(one),
                    found: one.last ? `it was destroyed on ${one.last.at}` : "it was never run",
                    cause: one.kind === "mesh" ? "its clusters are not joined" : "the mesh that names it cannot be deployed",
                    remedy: [`npx clustermesh up ${one.stack}`],
                })),
    },
    {
        id: "stack-failed",
        failure: "The last operation on a stack failed: what it was to change may be half done.",
        looksAt: "the last update of every stack",
        find: ({ stacks }) =>
            stacks
                .filter((one) => one.last && !isRunning(one) && one.last.result !== "succeeded")
                .map((one) => ({
                    ...stack(one),
                    found: `the last ${one.last?.kind} ended with "${one.last?.result}", ${one.last?.at}`,
                    cause: "an error in the middle of it, or a run that was interrupted or killed",
                    remedy: [`npx clustermesh ${one.last?.kind === "destroy" ? "destroy --yes" : "up"} ${one.stack}`],
                })),
    },
    {
        id: "stack-interrupted",
        failure: "A killed run has left a stack with operations whose end is not known.",
        looksAt: "pending operations in every stack's state",
        find: ({ stacks }) =>
            stacks
                .filter(({ pending }) => pending.length > 0)
                .map((one) => ({
                    ...stack(one),
                    found: `in doubt: ${few(one.pending)}`,
                    cause: "the engine was killed while these were being made: they may be there, unknown to the state",
                    remedy: [
                        `npx clustermesh up ${one.stack}`,
                        `pulumi refresh -s ${one.stack} --clear-pending-creates   # once you know; docs/operations.md`,
                    ],
                })),
    },
    {
        id: "stack-locked",
        failure: "Somebody is working on a stack now, or a killed run has left its lock.",
        looksAt: "the state backend",
        find: ({ stacks }) =>
            stacks.filter(isRunning).map((one) => ({
                ...stack(one),
                found: "it is locked",
                cause: "what is found of it may change at any moment",
                remedy: [`pulumi cancel -s ${one.stack}   # if nobody works on it`],
            })),
    },
    {
        id: "stack-unreadable",
        failure: "What a stack publishes cannot be read.",
        looksAt: "outputs of every stack, by the contract between clusters and mesh",
        find: ({ stacks }) =>
            stacks
                .filter(({ last, unreadable }) => last && last.kind !== "destroy" && unreadable)
                .map((one) => ({
                    ...stack(one),
                    found: one.unreadable ?? "",
                    cause: "its first deployment has not come to its end, or another version of this program made it",
                    remedy: [`npx clustermesh up ${one.stack}`],
                })),
    },
    {
        id: "mesh-outdated",
        failure: "The mesh was deployed with other clusters, or other facts of them, than there are now.",
        looksAt: "the mesh stack's file and outputs, against what the clusters' stacks publish",
        find: ({ meshes }) =>
            meshes.flatMap((mesh) =>
                mesh.outdated.map(({ stack, what }) => ({
                    subject: mesh.stack,
                    clusters: [],
                    found: `${stack}: ${what}`,
                    cause: "a cluster's stack was run, or a file was changed, and the mesh's not after it",
                    remedy: [`npx clustermesh up ${mesh.stack}`],
                })),
            ),
    },
    {
        id: "kubernetes-silent",
        failure: "An API server does not answer, or refuses to tell.",
        looksAt: "every request to the clusters' API servers",
        find: ({ clusters }) =>
            clusters.flatMap((cluster) => {
                const { material, agents, cached, ...parts } = cluster.kubernetes;
                const reasons = unknowns([...Object.values(parts), agents, ...Object.values(material), ...(cached ? [cached] : [])]);
                return reasons.map((found) => ({
                    ...about(cluster),
                    found,
                    cause: "the endpoint is not reached from here, credentials have expired, or rights are lacking: what needs it was not judged",
                    remedy: [
                        `in ${cluster.facts.name}: kubectl auth can-i --list -n kube-system`,
                        `pulumi stack output kubeconfig --show-secrets -s ${cluster.facts.stack.split("/").at(-1)}`,
                    ],
                }));
            }),
    },
    {
        id: "aws-silent",
        failure: "AWS does not answer, or refuses to tell.",
        looksAt: "every question to AWS",
        find: ({ clusters }) =>
            clusters.flatMap((cluster) =>
                unknowns(Object.values(cluster.aws)).map((found) => ({
                    ...about(cluster),
                    found,
                    cause: "credentials are missing, have expired, or lack the right to read: what needs it was not judged",
                    remedy: [
                        "aws sts get-caller-identity",
                        ...(cluster.facts.assumeRole
                            ? [`aws sts assume-role --role-arn ${cluster.facts.assumeRole} --role-session-name doctor`]
                            : []),
                    ],
                })),
            ),
    },
];

/** Each reason once. What nobody wanted to know is no silence. */
function unknowns(parts: readonly Known<unknown>[]): string[] {
    return [...new Set(parts.flatMap((part) => ("unknown" in part && part.unknown !== LEFT_OUT.unknown ? [part.unknown] : [])))];
}
