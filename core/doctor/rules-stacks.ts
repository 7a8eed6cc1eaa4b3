import { shortStackName } from "../stack-names.ts";
import { type Known, NOT_FETCHED, type StackEvidence } from "./evidence.ts";
import { aboutCluster, firstFew, kubectl, type Rule } from "./rule.ts";

const aboutStack = ({ stack }: StackEvidence) => ({ subject: stack, clusters: [] });

/** Not every backend reports a lock. */
const isRunning = ({ locked, last }: StackEvidence) => locked || last?.result === "in-progress";

export const STACK_RULES: readonly Rule[] = [
    {
        id: "stack-absent",
        failure: "A stack of the project was never deployed, or was destroyed.",
        looksAt: "the state backend",
        cause: "Without a cluster's stack its mesh cannot be deployed; without the mesh's stack its clusters are not connected.",
        remedy: ["npx clustermesh up <stack>"],
        find: ({ stacks }) =>
            stacks
                .filter(({ last }) => !last || (last.kind === "destroy" && last.result === "succeeded"))
                .map((stack) => ({
                    ...aboutStack(stack),
                    found: stack.last ? `it was destroyed on ${stack.last.at}` : "it was never deployed",
                    cause: stack.kind === "mesh" ? "its clusters are not connected" : "the mesh that lists it cannot be deployed",
                    remedy: [`npx clustermesh up ${stack.stack}`],
                })),
    },
    {
        id: "stack-failed",
        failure: "The last operation on a stack failed, so its changes may be incomplete.",
        looksAt: "the last update of every stack",
        cause: "An error stopped the operation, or the run was interrupted or killed.",
        remedy: ["npx clustermesh up <stack>", "npx clustermesh destroy --yes <stack>"],
        find: ({ stacks }) =>
            stacks
                .filter((stack) => stack.last && !isRunning(stack) && stack.last.result !== "succeeded")
                .map((stack) => ({
                    ...aboutStack(stack),
                    found: `the last ${stack.last?.kind} ended with "${stack.last?.result}" on ${stack.last?.at}`,
                    remedy: [`npx clustermesh ${stack.last?.kind === "destroy" ? "destroy --yes" : "up"} ${stack.stack}`],
                })),
    },
    {
        id: "stack-interrupted",
        failure: "A killed run left pending operations in a stack's state.",
        looksAt: "pending operations in every stack's state",
        cause: "The engine was killed while it created these resources. They may exist without being in the state.",
        remedy: [
            "npx clustermesh up <stack>",
            "pulumi refresh -s <stack> --clear-pending-creates   # after the steps in docs/operations.md",
        ],
        find: ({ stacks }) =>
            stacks
                .filter(({ pending }) => pending.length > 0)
                .map((stack) => ({
                    ...aboutStack(stack),
                    found: `pending operations: ${firstFew(stack.pending)}`,
                    remedy: [
                        `npx clustermesh up ${stack.stack}`,
                        `pulumi refresh -s ${stack.stack} --clear-pending-creates   # after the steps in docs/operations.md`,
                    ],
                })),
    },
    {
        id: "stack-locked",
        failure: "An operation is running on a stack, or a killed run left its lock.",
        looksAt: "the state backend",
        cause: "While an operation runs, other findings about this stack may change at any moment.",
        remedy: ["pulumi cancel -s <stack>   # only if no operation is running"],
        find: ({ stacks }) =>
            stacks.filter(isRunning).map((stack) => ({
                ...aboutStack(stack),
                found: "it is locked",
                remedy: [`pulumi cancel -s ${stack.stack}   # only if no operation is running`],
            })),
    },
    {
        id: "stack-unreadable",
        failure: "The outputs of a stack cannot be read.",
        looksAt: "outputs of every stack, against the contract between clusters and mesh",
        cause: "Its first deployment did not complete, or another version of this program deployed it.",
        remedy: ["npx clustermesh up <stack>"],
        find: ({ stacks }) =>
            stacks
                .filter(({ last, unreadable }) => last && last.kind !== "destroy" && unreadable)
                .map((stack) => ({
                    ...aboutStack(stack),
                    found: stack.unreadable ?? "",
                    remedy: [`npx clustermesh up ${stack.stack}`],
                })),
    },
    {
        id: "mesh-outdated",
        failure: "The mesh was deployed with other clusters, or with other outputs of its clusters, than there are now.",
        looksAt: "the mesh stack's file and outputs, against the outputs of its clusters' stacks",
        cause: "A cluster's stack was deployed or a stack file was changed, and the mesh was not deployed afterwards.",
        remedy: ["npx clustermesh up <mesh>"],
        find: ({ mesh }) =>
            (mesh?.outdated ?? []).map(({ stack, what }) => ({
                subject: mesh?.stack ?? "",
                clusters: [],
                found: `${stack}: ${what}`,
                remedy: [`npx clustermesh up ${mesh?.stack}`],
            })),
    },
    {
        id: "kubernetes-silent",
        failure: "An API server does not answer, or denies a request.",
        looksAt: "every request to the clusters' API servers",
        cause: "The endpoint is unreachable from here, credentials have expired, or permissions are missing. Rules that need the answer judge without it.",
        remedy: ["in <cluster>: kubectl auth can-i --list -n kube-system", "pulumi stack output kubeconfig --show-secrets -s <stack>"],
        find: ({ clusters }) =>
            clusters.flatMap((cluster) => {
                const { material, agents, cached, ...parts } = cluster.kubernetes;
                const reasons = unknownReasons([...Object.values(parts), agents, ...Object.values(material), ...(cached ? [cached] : [])]);
                return reasons.map((found) => ({
                    ...aboutCluster(cluster),
                    found,
                    remedy: [
                        kubectl(cluster, "auth can-i --list -n kube-system"),
                        `pulumi stack output kubeconfig --show-secrets -s ${shortStackName(cluster.facts.stack)}`,
                    ],
                }));
            }),
    },
    {
        id: "aws-silent",
        failure: "AWS does not answer, or denies a request.",
        looksAt: "every AWS request",
        cause: "Credentials are missing, have expired, or lack read permissions. Rules that need the answer judge without it.",
        remedy: ["aws sts get-caller-identity", "aws sts assume-role --role-arn <role> --role-session-name doctor"],
        find: ({ clusters }) =>
            clusters.flatMap((cluster) =>
                unknownReasons(Object.values(cluster.aws)).map((found) => ({
                    ...aboutCluster(cluster),
                    found,
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

/** Each reason once. A part that was not requested is not a failure. */
function unknownReasons(parts: readonly Known<unknown>[]): string[] {
    return [...new Set(parts.flatMap((part) => ("unknown" in part && part.unknown !== NOT_FETCHED.unknown ? [part.unknown] : [])))];
}
