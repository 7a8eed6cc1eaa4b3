import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import type { CoreV1Api } from "@kubernetes/client-node";
import { expect } from "vitest";
import { until } from "../../packages/lab/process/until.ts";
import { ensureTools } from "../../packages/lab/tools/tools.ts";
import type { RealLab } from "./real-lab.ts";

const README = "examples/workloads/README.md";
const NAMESPACE = "demo";
/** The mesh needs seconds to learn of services and pods. */
const SETTLE_MILLISECONDS = 60_000;
const CLUSTERS = ["cluster1", "cluster2"];
const TIMED_OUT = 28;

interface Result {
    code: number;
    stdout: string;
    stderr: string;
}

/** The commands of a section of the README, a block each. */
function commandsOf(section: string): string[] {
    const [, text] = readFileSync(README, "utf8").split(`\n## ${section}\n`);
    const commands = text?.split("\n## ")[0]?.matchAll(/^```sh\n(.*?)^```$/gms) ?? [];
    return [...commands].map(([, block = ""]) => block);
}

/** Follows the README of the workload examples: runs its commands, and checks what it promises. Removes everything at the end, as the README does. */
export async function followWorkloadsReadme(real: RealLab): Promise<void> {
    const { kubectl } = await ensureTools(["kubectl"], { log: (line) => console.log(line) });
    // kubectl 1.29 and 1.30 use WebSockets, all that the lab's kubelet has, only when asked.
    const env = { ...process.env, ...real.lab.env, KUBECTL: kubectl, KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "true" };

    /** Runs a block in the lab's project folder, until its result is as it should be. */
    const run = async (block: string | undefined, expected: (result: Result) => boolean = ({ code }) => code === 0): Promise<Result> => {
        if (block === undefined) throw new Error(`${README} has fewer commands than this test runs`);
        // A function rather than a folder on the PATH, which may hold another `aws` than the lab's.
        const command = `kubectl() { "$KUBECTL" "$@"; }\n${await withAddresses(real, block)}`;
        let last: Result | undefined;
        const attempt = async () => {
            last = await bash(command, real.lab.project, env);
            return expected(last) ? last : undefined;
        };
        return until(attempt, SETTLE_MILLISECONDS, `unexpected result of ${command}`).catch((error) => {
            throw new Error(`${error.message}: ${JSON.stringify(last)}`, { cause: error });
        });
    };

    const [kubeconfigs, apply, list] = commandsOf("Deploy");
    await run(kubeconfigs);
    await run(apply);
    const { stdout } = await run(list);
    const pods = stdout.trim().split("\n");
    expect(pods).toHaveLength(4);
    const inCluster = new Map(CLUSTERS.map((cluster, i) => [cluster, pods.slice(2 * i, 2 * i + 2).map((pod) => pod.replace("pod/", ""))]));

    const answeredBy =
        (...clusters: string[]) =>
        ({ code, stdout }: Result) => {
            // kubectl's own lines, such as "deployment.apps/web scaled", stand before them.
            const answers = new Set(stdout.split("\n").filter((line) => line.startsWith("web-")));
            const known = clusters.flatMap((cluster) => inCluster.get(cluster) ?? []);
            const from = clusters.filter((cluster) => inCluster.get(cluster)?.some((pod) => answers.has(pod)));
            return code === 0 && from.length === clusters.length && [...answers].every((pod) => known.includes(pod));
        };
    const [both] = commandsOf("Global service");
    await run(both, answeredBy("cluster1", "cluster2"));
    const [local] = commandsOf("Affinity");
    await run(local, answeredBy("cluster1"));

    const [failOver, failBack] = commandsOf("Failover");
    await run(failOver, answeredBy("cluster2"));
    await run(failBack);
    // The pods that came back have other names.
    inCluster.set("cluster1", await podsOf(real.core("cluster1")));
    await run(local, answeredBy("cluster1"));

    const [policy, admitted, refused] = commandsOf("Network policy");
    await run(policy);
    await run(refused, ({ code }) => code === TIMED_OUT);
    await run(admitted, answeredBy("cluster1", "cluster2"));
    // Once the policy is enforced everywhere, it stays so.
    await run(refused, ({ code }) => code === TIMED_OUT);

    const [remove] = commandsOf("Remove");
    await run(remove);
}

async function podsOf(api: CoreV1Api): Promise<string[]> {
    const { items } = await api.listNamespacedPod({ namespace: NAMESPACE, labelSelector: "app=web" });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp).flatMap(({ metadata }) => metadata?.name ?? []);
}

/** Service names replaced by their addresses: the lab's CoreDNS answers nothing. */
async function withAddresses({ core }: RealLab, block: string): Promise<string> {
    const cluster = /kubectl --kubeconfig (\w+)\.kubeconfig.* curl /.exec(block)?.[1];
    if (!cluster) return block;
    const { items } = await core(cluster).listNamespacedService({ namespace: NAMESPACE });
    return items.reduce((text, { metadata, spec }) => text.replaceAll(`http://${metadata?.name}/`, `http://${spec?.clusterIP}/`), block);
}

async function bash(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Result> {
    try {
        return { code: 0, ...(await promisify(execFile)("bash", ["-euo", "pipefail", "-c", command], { cwd, env })) };
    } catch (error) {
        const { code, stdout, stderr } = error as Result;
        return { code, stdout, stderr };
    }
}
