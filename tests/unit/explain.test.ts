import { ApiException } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { nodeListProblems } from "../../core/cilium/node-list.ts";
import { parallel } from "../../core/parallel.ts";
import { explain } from "../../core/text/explain.ts";

test.each([
    [
        "the API server's sentence, parsed",
        new ApiException(403, "x", { kind: "Status", message: "pods is forbidden" }, {}),
        "pods is forbidden (HTTP 403)",
    ],
    [
        "the API server's sentence, as text",
        new ApiException(409, "x", '{"kind":"Status","message":"already exists"}', {}),
        "already exists (HTTP 409)",
    ],
    ["a proxy's page", new ApiException(502, "x", "Bad Gateway\n", {}), "Bad Gateway (HTTP 502)"],
    ["an answer without a body", new ApiException(500, "x", "", {}), "HTTP-Code: 500"],
    [
        "what fetch hides",
        new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") }),
        "fetch failed: connect ECONNREFUSED 127.0.0.1:1",
    ],
    ["a system error, whose code is no HTTP status", Object.assign(new Error("spawn x ENOENT"), { code: "ENOENT" }), "spawn x ENOENT"],
    ["a WebSocket's event", { type: "error", message: "Unexpected server response: 403" }, "Unexpected server response: 403"],
    ["something thrown that is no error", "late", "late"],
    ["nothing", undefined, "undefined"],
])("%s", (_, error, expected) => {
    expect(explain(error)).toMatch(expected);
});

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
    ["all of them", LIST, { c1: ["ip-10-248-0-5.eu-west-1.compute.internal"], c2: ["a"] }, { missing: [], stale: [] }],
    [
        "one less, one too much",
        LIST,
        { c1: ["ip-10-248-0-6"], c2: ["a", "b"] },
        { missing: ["c1/ip-10-248-0-6", "c2/b"], stale: ["c1/ip-10-248-0-5.eu-west-1.compute.internal"] },
    ],
    [
        "of a cluster that could not be asked, nothing is judged",
        LIST,
        { c1: ["ip-10-248-0-5.eu-west-1.compute.internal"] },
        { missing: [], stale: [] },
    ],
    ["null", "null", { c2: ["a"] }, { missing: ["c2/a"], stale: [] }],
    ["nothing at all", "\n", { c2: ["a"] }, { missing: ["c2/a"], stale: [] }],
])("a node list with %s", (_, json, nodes, expected) => {
    expect(nodeListProblems(json, new Map(Object.entries(nodes)))).toEqual(expected);
});

test("what is no node list is an error, not an empty one", () => {
    expect(() => nodeListProblems("error: unable to connect", new Map())).toThrow();
    expect(() => nodeListProblems("{}", new Map())).toThrow();
});

test("parallel keeps the order, and no more run at a time than they may", async () => {
    let [running, most] = [0, 0];
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const results = await parallel([5, 1, 4, 2, 3], 2, async (turns) => {
        running += 1;
        most = Math.max(most, running);
        for (let i = 0; i < turns; i++) await turn();
        running -= 1;
        return turns * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
    await expect(parallel([1, 2], 2, async (n) => (n === 2 ? Promise.reject(new Error("two")) : n))).rejects.toThrow("two");
    expect(await parallel([], 4, async () => 1)).toEqual([]);
});
