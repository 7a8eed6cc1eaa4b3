import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../components/cluster.ts";
import { PUBLISHED_KEYS, type Published, parseCluster } from "../core/facts/schema.ts";
import { problemList } from "../core/text/problems.ts";

/** What `stacks/cluster.ts` returns. Each key is an output of its own, since one secret makes the whole of its top-level output secret. */
export type ClusterOutputs = { [K in keyof Published]: pulumi.Input<Published[K]> };

/**
 * Reads what the cluster stacks publish, in parallel.
 *
 * @param stacks full names
 *
 * @throws RunError that names every stack that cannot be read, and what to do about each
 */
export async function readClusters(stacks: readonly string[]): Promise<Cluster[]> {
    const read = await Promise.all(stacks.map(readCluster));
    const problems = read.filter((result) => typeof result === "string");
    if (problems.length > 0) throw new pulumi.RunError(problemList(problems));
    return read.filter((result) => typeof result !== "string");
}

async function readCluster(stack: string): Promise<Cluster | string> {
    const reference = new pulumi.StackReference(stack);
    // Key by key: `outputs` as a whole is secret as soon as one of them is.
    const details = await Promise.all(PUBLISHED_KEYS.map((key) => reference.getOutputDetails(key)));
    const read = parseCluster(
        stack,
        Object.fromEntries(PUBLISHED_KEYS.map((key, i) => [key, details[i]?.value ?? details[i]?.secretValue])),
    );
    if (typeof read === "string") return read;
    return { ...read, kubeconfig: pulumi.secret(read.kubeconfig), etcdClient: pulumi.secret(read.etcdClient) };
}
