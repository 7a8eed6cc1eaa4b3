import { expect, test } from "vitest";
import { failedProbes } from "../../../core/cilium/health.ts";

/** As `cilium-health status -o json` printed it in the lab with Cilium 1.20.2, shortened. */
const OUTPUT = `{"local": {"name": "cluster1/a"}, "nodes": [
{"host": {"primary-address": {"http": {"lastProbed": "2026-11-24T17:06:03Z", "latency": 346890}, "icmp": {"lastProbed": "2026-11-24T17:06:03Z", "latency": 458959},
 "ip": "10.248.32.4"}, "secondary-addresses": []}, "name": "cluster1/b"},
{"host": {"primary-address": {"http": {"lastProbed": "2026-11-24T17:04:26Z", "status": "Get \\"http://192.168.0.4:4240/hello\\": connection refused"},
 "icmp": {"lastProbed": "2026-11-24T17:04:26Z", "status": "Connection timed out"}, "ip": "192.168.0.4"}}, "name": "cluster2/c"},
{"host": {"primary-address": {"ip": "192.168.0.5"}}, "name": "cluster2/d"}, {"name": "cluster2/e"}]}`;

test("returns failed probes with Cilium's message and time, but no passed or missing probes", () => {
    const at = "2026-11-24T17:04:26Z";
    expect(failedProbes(OUTPUT)).toEqual([
        { node: "cluster2/c", probe: "tcp/4240", why: 'Get "http://192.168.0.4:4240/hello": connection refused', at },
        { node: "cluster2/c", probe: "icmp", why: "Connection timed out", at },
    ]);
    expect(failedProbes('{"nodes": null}')).toEqual([]);
    expect(() => failedProbes("Error: cannot connect")).toThrow();
});
