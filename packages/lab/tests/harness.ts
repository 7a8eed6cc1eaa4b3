import { execFileSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClusterOptions, startCluster } from "../cluster/cluster.ts";
import type { RegisteredNode } from "../cluster/node-object.ts";
import { requireGo } from "../tools/go.ts";
import { usableOnPath } from "../tools/on-path.ts";
import { ensureTools } from "../tools/tools.ts";

/** Milliseconds; the first run builds the lab's programs. */
export const BUILD_TIMEOUT = 3_600_000;

const PROGRAMS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"] as const;

/** Why this machine cannot run the lab's programs. Undefined: it can. A failing build is no reason to skip: it fails the tests. */
export async function whyNoTools(): Promise<string | undefined> {
    const found = await Promise.all(PROGRAMS.map((name) => usableOnPath(name, process.env.PATH ?? "")));
    return found.includes(undefined) ? whyNoGo() : undefined;
}

/** Why this machine cannot build Go programs. Undefined: it can. */
export async function whyNoGo(): Promise<string | undefined> {
    try {
        await requireGo("the lab's programs");
        return undefined;
    } catch (error) {
        console.warn(`skipped: ${error instanceof Error ? error.message : error}`);
        return String(error);
    }
}

/** The control plane's programs, built if necessary. */
export async function tools() {
    return ensureTools(PROGRAMS, { log: (line) => console.log(line) });
}

/** Makes a temporary folder. */
export async function temporaryFolder(): Promise<string> {
    return mkdtemp(join(tmpdir(), "clustermesh-"));
}

/** Starts a cluster with the settings that all tests share. */
export async function testCluster(name: string, folder: string, more: Partial<ClusterOptions> = {}) {
    return startCluster({ name, folder, serviceCidr: "172.20.0.0/16", tools: await tools(), ...more });
}

/** A node of a test's node group. */
export function testNode(index: number, more: Partial<RegisteredNode> = {}): RegisteredNode {
    return {
        name: `ip-10-0-1-${index}.eu-west-1.compute.internal`,
        internalIp: `10.0.1.${index}`,
        nodeGroup: "main",
        zone: "eu-west-1a",
        region: "eu-west-1",
        instanceType: "m6i.large",
        providerId: `aws:///eu-west-1a/i-${index.toString(16).padStart(17, "0")}`,
        podCidr: `10.0.${100 + index}.0/24`,
        ...more,
    };
}

/** Running processes of these process groups: programs and their watchers. */
export function running(groups: readonly number[]): number[] {
    const rows = execFileSync("ps", ["-A", "-o", "pid=,pgid=,stat="], { encoding: "utf8" }).trim().split("\n");
    return rows
        .map((row) => row.trim().split(/\s+/))
        .filter(([, group, state]) => groups.includes(Number(group)) && !state?.startsWith("Z"))
        .map(([pid]) => Number(pid));
}
