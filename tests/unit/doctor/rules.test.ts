import { describe, expect, test } from "vitest";
import { parseArguments } from "../../../cli/arguments.ts";
import { COMMANDS } from "../../../cli/commands.ts";
import { diagnose, isHealthy, RULES } from "../../../core/doctor/diagnose.ts";
import { CILIUM_FAILURES } from "./failures/cilium.ts";
import { NETWORK_FAILURES } from "./failures/network.ts";
import { POD_FAILURES } from "./failures/pods.ts";
import { SECRET_FAILURES } from "./failures/secrets.ts";
import {
    agents,
    type Broken,
    behind,
    byKvstoreMesh,
    days,
    entry,
    found,
    mesh,
    OTHER,
    overTransitGateways,
    RECORDED,
    value,
} from "./record.ts";

const FAILURES = [...NETWORK_FAILURES, ...SECRET_FAILURES, ...CILIUM_FAILURES, ...POD_FAILURES];

test.each<[string, (broken: Broken) => void]>([
    ["as recorded", () => {}],
    ["over Transit Gateways in two regions", overTransitGateways],
    ["connected through kvstoremesh", byKvstoreMesh],
    [
        "with a route to more than the peer",
        ({ cluster1 }) => {
            for (const route of value(cluster1.aws.routes)) if (route.destination === OTHER) route.destination = "192.0.0.0/8";
        },
    ],
    [
        "with source NAT that excludes the peers",
        ({ cluster1 }) => {
            cluster1.kubernetes.vpcCni = {
                value: { AWS_VPC_K8S_CNI_EXTERNALSNAT: "false", AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "10.0.0.0/8,192.168.0.0/16" },
            };
        },
    ],
    [
        "with a pod that was just started",
        ({ evidence, cluster1 }) => {
            value(cluster1.kubernetes.pods).unmanaged.push({
                pod: "default/new",
                node: "a",
                since: days(evidence, -29 / 86_400),
                owner: "",
            });
        },
    ],
    [
        "with a health check that failed while the other node's agent was starting",
        ({ cluster1, cluster2 }) => {
            const [near, far] = [agents(cluster1)[0], agents(cluster2)[0]];
            if (near && far)
                near.health = { value: [{ node: `cluster2/${far.node}`, probe: "tcp/4240", why: "connection refused", at: far.started }] };
        },
    ],
    [
        "with a node that is just joining the load balancer's targets",
        ({ cluster1 }) => {
            value(cluster1.aws.balancer).targets.push({ id: "i-1", state: "initial" });
        },
    ],
    [
        "with ports instead of all traffic, and rules for them",
        ({ evidence: { meshes, clusters } }) => {
            for (const mesh of meshes) mesh.ingress = [{ protocol: "tcp", fromPort: 443, toPort: 443 }];
            for (const { aws } of clusters) {
                const rules = value(aws.rules);
                const [open] = rules.filter(({ protocol }) => protocol === "-1");
                if (!open) throw new Error("the record admits nothing");
                const { group, source } = open;
                open.protocol = "tcp";
                rules.push({ group, source, protocol: "icmp", fromPort: -1, toPort: -1 });
                Object.assign(open, { fromPort: 1, toPort: 8080 });
            }
        },
    ],
])("finds nothing in a healthy mesh %s", (_, change) => {
    expect(found(mesh(change))).toEqual([]);
});

test("the record contains no keys or tokens, and no rule lacks evidence", () => {
    expect(RECORDED).not.toMatch(/PRIVATE KEY|BEGIN CERTIFICATE|[Tt]oken|kubeconfig/);
    expect(
        diagnose(mesh())
            .filter(({ unseen }) => unseen.length > 0)
            .map(({ id }) => id),
    ).toEqual([]);
    expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
});

describe("finds what is broken, and nothing else:", () => {
    test.each(FAILURES)("%s", (id, change, subject, says, consequences = []) => {
        const all = found(mesh(change));
        const own = all.filter((finding) => finding.id === id);
        expect(own.map((finding) => finding.subject)).toContain(subject);
        expect(own.map((finding) => finding.found).join("\n")).toMatch(says);
        for (const { remedy } of own) {
            expect(remedy.length).toBeGreaterThan(0);
            for (const command of remedy)
                expect(
                    documented(id).some((pattern) => pattern.test(command)),
                    command,
                ).toBe(true);
        }
        expect([...new Set(all.map((finding) => finding.id))].toSorted()).toEqual([id, ...consequences].toSorted());
    });

    test("every rule is tested above", () => {
        expect(RULES.map(({ id }) => id).filter((id) => !FAILURES.some(([broken]) => broken === id))).toEqual([]);
    });
});

test("a symptom refers to failures between the same clusters only", () => {
    const rules = diagnose(
        mesh(({ evidence, cluster1, cluster2 }) => {
            behind(cluster1, "cluster2", "no connection to its etcd");
            entry(cluster1, "cluster2").ca = cluster1.published.ca;
            value(cluster2.kubernetes.daemonSet).ready = 2;
            evidence.stacks[0]?.pending.push("Secret a");
        }),
    );
    expect(rules.find(({ id }) => id === "peer-behind")?.findings[0]?.because).toEqual(["peer-ca", "agents-missing"]);
    expect(isHealthy(rules)).toBe(false);
});

test("an unreachable API server gives one finding, and the other cluster is still judged", () => {
    const why = "connect ECONNREFUSED 10.0.0.1:443";
    const rules = diagnose(
        mesh(({ cluster1, cluster2 }) => {
            for (const key of Object.keys(cluster1.kubernetes))
                if (key !== "material") Object.assign(cluster1.kubernetes, { [key]: { unknown: why } });
            for (const key of Object.keys(cluster1.kubernetes.material)) cluster1.kubernetes.material[key] = { unknown: why };
            delete cluster1.kubernetes.cached;
            value(cluster2.kubernetes.apiserver).replicas = 1;
        }),
    );
    expect(
        rules.filter(({ findings }) => findings.length > 0).map(({ id, findings }) => [id, findings.map(({ subject }) => subject)]),
    ).toEqual([
        ["kubernetes-silent", ["cluster1"]],
        ["apiserver-single", ["cluster2"]],
    ]);
    expect(rules.find(({ id }) => id === "pods-unmanaged")?.unseen).toEqual([why]);
});

/** The remedies of a rule in docs/doctor.md, as patterns. */
function documented(id: string): RegExp[] {
    const remedies = RULES.find((rule) => rule.id === id)?.remedy ?? [];
    return remedies.map((remedy) => {
        const parts = remedy.split(/<[^>]+>/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
        return new RegExp(`^${parts.join(".+")}$`);
    });
}

test("remedies name commands and options of this command line that exist", () => {
    const commands = RULES.flatMap(({ remedy }) => remedy).flatMap((command) => /npx clustermesh ([^#]+)/.exec(command)?.[1]?.trim() ?? []);
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) {
        const [name = "", ...args] = command.split(" ");
        const known = COMMANDS.find((existing) => existing.name === name);
        if (!known) expect.fail(`${command}: unknown command`);
        parseArguments(known, args);
    }
});
