import fc from "fast-check";
import { expect, test } from "vitest";
import { type MeshNode, sampleNodes } from "../../../core/verify/nodes.ts";
import { allowOnly, answeringCluster, backend, namespaceObject, probes, service } from "../../../core/verify/objects.ts";

const PODS = { namespace: "verify", image: "registry.example.com/agnhost:1", port: 9000, nodes: ["n1", "n2"] };
/** As core/settings/schema.ts accepts them. */
const clusterName = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/);

test("an answer names its cluster, whatever the cluster's name", () => {
    fc.assert(
        fc.property(clusterName, fc.stringMatching(/^[a-z0-9]{6,10}$/), fc.stringMatching(/^[a-z0-9]{5}$/), (cluster, hash, random) => {
            const pod = `${backend(cluster, 1, PODS).metadata?.name}-${hash}-${random}`;
            // A longer name would be truncated in the container's hostname.
            expect(pod.length).toBeLessThanOrEqual(63);
            expect(answeringCluster(pod)).toBe(cluster);
        }),
    );
    expect(answeringCluster("nginx-5d8f9-abcde")).toBeUndefined();
});

test("samples only ready nodes, each once, and every zone before any zone twice", () => {
    const nodes = fc.uniqueArray(
        fc.record({ name: fc.stringMatching(/^n\d{1,3}$/), zone: fc.constantFrom("a", "b", "c"), ready: fc.boolean() }),
        { selector: ({ name }) => name },
    );
    fc.assert(
        fc.property(nodes, fc.integer({ min: 1, max: 10 }), (all: MeshNode[], count) => {
            const chosen = sampleNodes(all, count);
            const ready = all.filter((node) => node.ready);
            expect(chosen).toHaveLength(Math.min(count, ready.length));
            expect(new Set(chosen).size).toBe(chosen.length);
            expect(sampleNodes(all.toReversed(), count)).toEqual(chosen);
            const zones = chosen.map((name) => ready.find((node) => node.name === name)?.zone);
            const all_ = new Set(ready.map(({ zone }) => zone)).size;
            expect(new Set(zones.slice(0, all_)).size).toBe(Math.min(count, all_));
        }),
    );
});

test("pods meet the restricted pod security level and run on the chosen nodes, whatever their taints", () => {
    for (const template of [probes(PODS).spec?.template, backend("c1", 1, PODS).spec?.template]) {
        expect(template?.spec).toMatchObject({
            tolerations: [{ operator: "Exists" }],
            automountServiceAccountToken: false,
            securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        });
        const [container, ...rest] = template?.spec?.containers ?? [];
        expect(rest).toEqual([]);
        expect(container).toMatchObject({
            image: "registry.example.com/agnhost:1",
            args: ["netexec", "--http-port=9000"],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        });
        // One term per node: terms are alternatives, and matchFields takes a single value.
        expect(template?.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms).toEqual(
            ["n1", "n2"].map((name) => ({ matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] })),
        );
    }
    expect(namespaceObject("verify", new Date(0)).metadata).toMatchObject({
        labels: { "app.kubernetes.io/managed-by": "clustermesh-verify", "pod-security.kubernetes.io/enforce": "restricted" },
        annotations: { "clustermesh/expires": "1970-01-01T00:00:00.000Z" },
    });
});

test("both services are global, one has local affinity, and both select the backends", () => {
    expect(service("global", PODS).metadata?.annotations).toEqual({ "service.cilium.io/global": "true" });
    expect(service("global-local", PODS).metadata?.annotations).toEqual({
        "service.cilium.io/global": "true",
        "service.cilium.io/affinity": "local",
    });
    for (const name of ["global", "global-local"] as const)
        expect(backend("c1", 1, PODS).spec?.template.metadata?.labels).toMatchObject(service(name, PODS).spec?.selector ?? {});
    expect(probes(PODS).spec?.template.metadata?.labels).not.toMatchObject(service("global", PODS).spec?.selector ?? {});
});

test("the policy selects the backends only, and allows clients by cluster", () => {
    expect(allowOnly(["c1", "c2"], "verify").spec).toEqual({
        endpointSelector: { matchLabels: { "clustermesh/role": "backend" } },
        ingress: [
            {
                fromEndpoints: [
                    { matchLabels: { "io.cilium.k8s.policy.cluster": "c1" } },
                    { matchLabels: { "io.cilium.k8s.policy.cluster": "c2" } },
                ],
            },
        ],
    });
});
