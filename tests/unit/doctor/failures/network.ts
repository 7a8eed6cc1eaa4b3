import { config, type Failure, OTHER, overTransitGateways, value } from "../record.ts";

export const NETWORK_FAILURES: Failure[] = [
    ["stack-absent", ({ evidence: { stacks } }) => void delete stacks[0]?.last, "cluster1", /never deployed/],
    [
        "stack-absent",
        ({ evidence }) => {
            for (const stack of evidence.stacks) if (stack.kind === "mesh" && stack.last) Object.assign(stack.last, { kind: "destroy" });
            evidence.meshes = [];
        },
        "mesh",
        /destroyed on 2026/,
    ],
    [
        "stack-failed",
        ({ evidence: { stacks } }) => void Object.assign(stacks[0]?.last ?? {}, { result: "failed" }),
        "cluster1",
        /update ended with "failed"/,
    ],
    ["stack-interrupted", ({ evidence: { stacks } }) => void stacks[2]?.pending.push("Secret a"), "mesh", /pending operations: Secret a/],
    ["stack-locked", ({ evidence: { stacks } }) => void Object.assign(stacks[1] ?? {}, { locked: true }), "cluster2", /locked/],
    [
        "stack-unreadable",
        ({ evidence: { stacks } }) => void Object.assign(stacks[1] ?? {}, { unreadable: "contract 0" }),
        "cluster2",
        /contract 0/,
    ],
    [
        "mesh-outdated",
        ({ evidence: { meshes } }) => void meshes[0]?.outdated.push({ stack: "cluster3", what: "not joined yet" }),
        "mesh",
        /cluster3: not joined/,
    ],
    [
        "kubernetes-silent",
        ({ cluster1 }) => {
            cluster1.kubernetes.pods = { unknown: "pods is forbidden (HTTP 403)" };
        },
        "cluster1",
        /pods is forbidden/,
    ],
    [
        "aws-silent",
        ({ cluster2 }) => {
            cluster2.aws.routes = { unknown: "An error occurred (ExpiredToken)" };
            cluster2.aws.rules = { unknown: "An error occurred (ExpiredToken)" };
        },
        "cluster2",
        /ExpiredToken/,
    ],
    [
        "connection-inactive",
        ({ evidence: { meshes }, cluster1, cluster2 }) => {
            const id = Object.values(meshes[0]?.connections ?? {})[0] ?? "";
            cluster1.aws.connections = { value: { [id]: "deleted" } };
            cluster2.aws.connections = { value: {} };
            for (const { aws } of [cluster1, cluster2])
                for (const route of value(aws.routes)) if (route.target === id) route.state = "blackhole";
        },
        "cluster1 ↔ cluster2",
        /is deleted, not active/,
    ],
    [
        "connection-inactive",
        (broken) => {
            overTransitGateways(broken);
            broken.cluster1.aws.connections = { value: { "tgw-1": "pendingAcceptance" } };
        },
        "cluster1",
        /attachment of vpc-.* to tgw-1 is pendingAcceptance/,
    ],
    [
        "route-missing",
        ({ cluster1 }) => {
            const routes = value(cluster1.aws.routes);
            routes.splice(
                routes.findIndex(({ destination }) => destination === OTHER),
                1,
            );
        },
        "cluster1 → cluster2",
        /table rtb-\w+ routes 192.168.0.0\/16 by 0.0.0.0\/0 to (nat|igw)-\w+ instead of pcx-/,
    ],
    [
        "route-missing",
        ({ cluster1 }) => {
            const route = value(cluster1.aws.routes).find(({ destination }) => destination === OTHER);
            Object.assign(route ?? {}, { state: "blackhole" });
        },
        "cluster1 → cluster2",
        /\(blackhole\) instead of pcx-/,
    ],
    [
        "route-missing",
        ({ cluster2 }) => {
            const routes = value(cluster2.aws.routes);
            const { table = "" } = routes.find(({ destination }) => destination === "10.248.0.0/18") ?? {};
            routes.push({ table, destination: "10.248.16.0/20", target: "tgw-9", state: "active" });
        },
        "cluster2 → cluster1",
        /by 10\.248\.16\.0\/20 to tgw-9 instead of pcx-/,
    ],
    [
        "route-missing",
        ({ cluster1 }) => {
            cluster1.aws.routes = { value: value(cluster1.aws.routes).filter(({ destination }) => destination === "10.248.0.0/18") };
        },
        "cluster1 → cluster2",
        /has no route for 192\.168\.0\.0\/16 to pcx-/,
    ],
    [
        "stack-locked",
        ({ evidence: { stacks } }) => void Object.assign(stacks[1]?.last ?? {}, { result: "in-progress" }),
        "cluster2",
        /locked/,
    ],
    [
        "ingress-missing",
        ({ cluster1 }) => {
            cluster1.aws.rules = { value: value(cluster1.aws.rules).filter(({ protocol }) => protocol !== "tcp") };
        },
        "cluster2 → cluster1",
        /does not admit tcp\/2379 from 192.168.0.0\/16/,
    ],
    [
        "ingress-missing",
        ({ cluster1 }) => {
            for (const rule of value(cluster1.aws.rules)) if (rule.protocol === "-1") rule.source = "192.168.0.0/17";
        },
        "cluster2 → cluster1",
        /does not admit all traffic from 192.168.0.0\/16/,
    ],
    [
        "balancer-missing",
        ({ cluster1 }) => {
            cluster1.aws.balancer = { value: null };
        },
        "cluster1",
        /no load balancer has the security group sg-/,
    ],
    [
        "balancer-missing",
        ({ cluster1 }) => void Object.assign(value(cluster1.aws.balancer), { state: "failed" }),
        "cluster1",
        /is failed, not active/,
    ],
    [
        "balancer-missing",
        ({ cluster1 }) => void value(cluster1.aws.balancer).addresses.splice(0, 1, "10.248.0.77"),
        "cluster1",
        /not 10.248.0.16$/,
    ],
    [
        "targets-unhealthy",
        ({ cluster2 }) =>
            void Object.assign(value(cluster2.aws.balancer).targets[0] ?? {}, { state: "unhealthy", reason: "Health checks failed" }),
        "cluster2",
        /1 of 3 targets .*unhealthy \(Health checks failed\)/,
    ],
    ["targets-unhealthy", ({ cluster2 }) => void value(cluster2.aws.balancer).targets.splice(0), "cluster2", /has no targets/],
    [
        "source-nat",
        ({ cluster1 }) => {
            cluster1.kubernetes.vpcCni = {
                value: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false", AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "10.0.0.0/8, 192.168.0.0/17" },
            };
        },
        "cluster1",
        /EXTERNALSNAT is false, .*10.0.0.0\/8, 192.168.0.0\/17\) does not cover 192.168.0.0\/16/,
    ],
    [
        "mtu-too-large",
        ({ cluster1, cluster2 }) => {
            Object.assign(cluster2.facts, { region: "us-east-1" });
            config(cluster1).mtu = "9001";
        },
        "cluster1",
        /mtu of cilium-config is 9001/,
    ],
    [
        "mtu-too-large",
        (broken) => {
            overTransitGateways(broken);
            value(broken.cluster2.kubernetes.vpcCni).AWS_VPC_ENI_MTU = "9001";
        },
        "cluster2",
        /AWS_VPC_ENI_MTU is 9001/,
    ],
];
