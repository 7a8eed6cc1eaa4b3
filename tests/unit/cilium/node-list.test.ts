import { expect, test } from "vitest";
import { nodeListProblems } from "../../../core/cilium/node-list.ts";

/** As `cilium-dbg node list -o json` prints it with Cilium 1.20 (cilium-dbg/cmd/node_list.go, api/v1/models/node_element.go). */
const LIST = JSON.stringify([
    {
        "health-endpoint-address": { ipv4: {}, ipv6: {} },
        "ingress-address": { ipv4: {}, ipv6: {} },
        name: "c1/ip-10-248-0-5.eu-west-1.compute.internal",
        "primary-address": {
            ipv4: { "address-type": "InternalIP", "alloc-range": "100.64.0.0/27", enabled: true, ip: "10.248.0.5" },
            ipv6: {},
        },
        "secondary-addresses": [],
        source: "local",
    },
    { name: "c2/a", "primary-address": { ipv4: { ip: "192.168.0.4" } }, "secondary-addresses": null, source: "clustermesh" },
]);

test.each([
    ["all nodes", LIST, { c1: ["ip-10-248-0-5.eu-west-1.compute.internal"], c2: ["a"] }, { missing: [], stale: [] }],
    [
        "missing and stale nodes",
        LIST,
        { c1: ["ip-10-248-0-6"], c2: ["a", "b"] },
        { missing: ["c1/ip-10-248-0-6", "c2/b"], stale: ["c1/ip-10-248-0-5.eu-west-1.compute.internal"] },
    ],
    ["nodes of another cluster, which are ignored", LIST, { c1: ["ip-10-248-0-5.eu-west-1.compute.internal"] }, { missing: [], stale: [] }],
    ["null", "null", { c2: ["a"] }, { missing: ["c2/a"], stale: [] }],
    ["no output", "\n", { c2: ["a"] }, { missing: ["c2/a"], stale: [] }],
])("a node list with %s", (_, json, nodes, expected) => {
    expect(nodeListProblems(json, new Map(Object.entries(nodes)))).toEqual(expected);
});

test("throws for other output instead of returning an empty list", () => {
    expect(() => nodeListProblems("error: unable to connect", new Map())).toThrow();
    expect(() => nodeListProblems("{}", new Map())).toThrow();
});
