import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../components/cluster.ts";
import { PUBLISHED_KEYS, type Published, parseCluster } from "../core/facts/schema.ts";
import { problemList } from "../core/text/problems.ts";

/** The outputs of `stacks/cluster.ts`. Each key is an output of its own, because one secret makes its whole top-level output secret. */
export type ClusterOutputs = { [K in keyof Published]: pulumi.Input<Published[K]> };

/**
 * Reads the outputs of the cluster stacks in parallel.
 *
 * @param stacks full names
 * @throws RunError with every stack that cannot be read, and how to fix it
 */
export async function readClusters(stacks: readonly string[]): Promise<Cluster[]> {
    const results = await Promise.all(stacks.map(readCluster));
    const problems = results.filter((result) => typeof result === "string");
    if (problems.length > 0) throw new pulumi.RunError(problemList(problems));
    return results.filter((result) => typeof result !== "string");
}

async function readCluster(stack: string): Promise<Cluster | string> {
    const reference = new pulumi.StackReference(stack);
    // Key by key: `outputs` as a whole is secret as soon as one of them is.
    const details = await Promise.all(PUBLISHED_KEYS.map((key) => reference.getOutputDetails(key)));
    const cluster = parseCluster(
        stack,
        Object.fromEntries(PUBLISHED_KEYS.map((key, i) => [key, details[i]?.value ?? details[i]?.secretValue])),
    );
    if (typeof cluster === "string") return cluster;
    return { ...cluster, kubeconfig: pulumi.secret(cluster.kubeconfig), etcdClient: pulumi.secret(cluster.etcdClient) };
}
