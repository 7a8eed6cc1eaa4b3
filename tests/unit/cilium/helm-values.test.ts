import fc from "fast-check";
import { expect, test } from "vitest";
import { ciliumValues, type HelmValues, meshValues, refusedPaths } from "../../../core/cilium/helm-values.ts";

const settings = { name: "east", id: 1, poolCidr: "100.64.128.0/17", mtu: 8500, kvstoreMesh: false, privileged: false };

test("returns these values for a cluster", () => {
    expect(ciliumValues(settings, {})).toMatchInlineSnapshot(`
      {
        "MTU": 8500,
        "bandwidthManager": {
          "enabled": false,
        },
        "cluster": {
          "id": 1,
          "name": "east",
        },
        "clustermesh": {
          "apiserver": {
            "kvstoremesh": {
              "enabled": false,
            },
            "podDisruptionBudget": {
              "enabled": true,
              "maxUnavailable": 1,
            },
            "replicas": 2,
            "service": {
              "enableSessionAffinity": "Never",
              "externalTrafficPolicy": "Cluster",
              "nodePort": 32379,
              "type": "NodePort",
            },
            "tls": {
              "authMode": "migration",
              "auto": {
                "enabled": false,
              },
            },
          },
          "config": {
            "enabled": false,
          },
          "maxConnectedClusters": 255,
          "policyDefaultLocalCluster": true,
          "useAPIServer": true,
        },
        "cni": {
          "chainingMode": "aws-cni",
          "exclusive": false,
        },
        "enableIPv4Masquerade": false,
        "enableIdentityMark": false,
        "eni": {
          "enabled": false,
        },
        "hubble": {
          "enabled": false,
        },
        "identityAllocationMode": "crd",
        "ipam": {
          "mode": "cluster-pool",
          "operator": {
            "clusterPoolIPv4MaskSize": 28,
            "clusterPoolIPv4PodCIDRList": [
              "100.64.128.0/17",
            ],
          },
        },
        "operator": {
          "replicas": 2,
        },
        "routingMode": "native",
      }
    `);
});

test("wiring and privileges change the values", () => {
    const differing = ciliumValues({ ...settings, kvstoreMesh: true, privileged: true }, {});
    expect(differing).toMatchObject({
        clustermesh: { apiserver: { kvstoremesh: { enabled: true } } },
        securityContext: { privileged: true },
    });
    expect(ciliumValues(settings, {})).not.toHaveProperty("securityContext");
});

test("user values are merged last, key by key", () => {
    const values = ciliumValues(settings, {
        operator: { prometheus: { enabled: true } },
        clustermesh: { apiserver: { replicas: 3 } },
        hubble: { enabled: true },
    });
    expect(values).toMatchObject({
        operator: { replicas: 2, prometheus: { enabled: true } },
        clustermesh: {
            useAPIServer: true,
            apiserver: { replicas: 3, podDisruptionBudget: { enabled: true }, service: { nodePort: 32379 } },
        },
        hubble: { enabled: true },
    });
});

const paths = (values: HelmValues, prefix: string[] = []): string[][] =>
    Object.entries(values).flatMap(([key, value]) =>
        typeof value === "object" && value !== null && !Array.isArray(value)
            ? paths(value as HelmValues, [...prefix, key])
            : [[...prefix, key]],
    );
const at = (path: string[], value: unknown): HelmValues =>
    path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as HelmValues;

test("refuses every value that the mesh sets, alone or as part of a tree", () => {
    const owned = paths(meshValues(settings));
    expect(owned.length).toBeGreaterThan(15);
    fc.assert(
        fc.property(fc.constantFrom(...owned), fc.anything(), fc.integer({ min: 1, max: 5 }), (path, value, depth) => {
            expect(refusedPaths(at(path, typeof value === "object" ? null : value))).toHaveLength(1);
            expect(refusedPaths(at(path.slice(0, Math.min(depth, path.length)), null))).toHaveLength(1);
        }),
    );
});

test.each([
    [{ cluster: null }, ["cluster"]],
    [{ clustermesh: { config: { enabled: true, clusters: {} } } }, ["clustermesh.config.enabled"]],
    [{ clustermesh: { config: { domain: "example.com" } } }, ["clustermesh.config.domain"]],
    [{ tls: { ca: { key: "x" } } }, ["tls.ca.key"]],
    [{ extraConfig: { "cluster-id": "7" } }, ["extraConfig.cluster-id"]],
    [{ extraConfig: { "allow-unsafe-policy-skb-usage": "true" } }, ["extraConfig.allow-unsafe-policy-skb-usage"]],
    [{ etcd: { enabled: true } }, ["etcd.enabled"]],
    [{ clustermesh: { apiserver: { tls: { server: { extraDnsNames: ["x"] } } } } }, ["clustermesh.apiserver.tls.server.extraDnsNames"]],
    [
        {
            clustermesh: { apiserver: { replicas: 3, service: { annotations: { a: "b" } } } },
            hubble: { enabled: true },
            extraConfig: { debug: "true" },
        },
        [],
    ],
] as [HelmValues, string[]][])("%j: refused %j", (extra, refused) => expect(refusedPaths(extra)).toEqual(refused));
