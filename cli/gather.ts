import { isDeepStrictEqual } from "node:util";
import { certificatesIn } from "../core/cilium/certificates.ts";
import type { ClusterEvidence, Evidence, MeshEvidence, StackEvidence } from "../core/doctor/evidence.ts";
import type { ClusterFacts, PublishedCluster } from "../core/facts/schema.ts";
import type { Project } from "../core/settings/project.ts";
import { shortStackName } from "../core/stack-names.ts";
import { explain } from "../core/text/explain.ts";
import { kubernetesClients } from "../kubernetes/clients.ts";
import { type Depth, kubernetesEvidence, nodeNames, unanswered } from "../kubernetes/evidence.ts";
import { awsCommandLine } from "./aws/command-line.ts";
import { awsEvidence } from "./aws/evidence.ts";
import type { Context } from "./command.ts";
import type { DeployedStack } from "./engine/deployed.ts";

/**
 * Asks everybody who knows something of the mesh, all beside each other: stacks (which `deployed` has read already), AWS, API servers, agents. What could not be
 * had is in the evidence with its reason; only an abort throws.
 *
 * Costs, with n nodes in all: for doctor three commands in every agent, for status one, and six questions to AWS for each cluster, for status four.
 */
export async function gather(
    deployed: readonly DeployedStack[],
    plan: Project,
    { env, signal }: Pick<Context, "env" | "signal">,
    depth: Depth,
): Promise<Evidence> {
    const published = deployed.flatMap(({ cluster }) => (typeof cluster === "object" ? [cluster] : []));
    const meshes = deployed.flatMap((one) => meshEvidence(one, plan, published));
    const authorities = published.map(({ etcdClient }) => etcdClient.ca);
    const clients = kubernetesClients(Object.fromEntries(published.map(({ name, kubeconfig }) => [name, kubeconfig])), signal);
    const aws = awsCommandLine(env, signal);
    // Started now and awaited last: the command line takes longer than all API servers together.
    const clouds = new Map(published.map((cluster) => [cluster.name, awsEvidence(aws, plain(cluster), meshOf(cluster.name), depth)]));
    const nodes = await namesByCluster();
    const clusters = await Promise.all(
        published.map(async (cluster): Promise<ClusterEvidence> => {
            const facts = plain(cluster);
            const peers = (meshOf(cluster.name)?.members ?? []).filter((name) => name !== cluster.name);
            const asked = { cluster: facts, peers, authorities, depth };
            const { ca, cert } = cluster.etcdClient;
            const kubernetes = await kubernetesEvidence(clients, asked, nodes).catch((error) => unanswered(explain(error), facts.wiring));
            const cloud = await clouds.get(cluster.name);
            if (!cloud) throw new Error(`nothing was asked of AWS for ${cluster.name}`);
            const published = { ca: certificatesIn(ca, [ca]), client: certificatesIn(cert, authorities) };
            return { facts, published, kubernetes, aws: cloud };
        }),
    );
    signal.throwIfAborted();
    return { version: 1, gatheredAt: new Date().toISOString(), stacks: deployed.map(stackEvidence), meshes, clusters };

    function meshOf(cluster: string): MeshEvidence | undefined {
        return meshes.find(({ members }) => members.includes(cluster));
    }

    /** Nodes of a cluster that cannot be asked are not judged. */
    async function namesByCluster(): Promise<ReadonlyMap<string, readonly string[]>> {
        if (depth === "status") return new Map();
        const asked = published.map(({ name }) =>
            nodeNames(clients, name).then(
                (names) => [[name, names] as const],
                () => [],
            ),
        );
        return new Map((await Promise.all(asked)).flat());
    }
}

function stackEvidence({ stack, kind, last, locked, pending, cluster, mesh }: DeployedStack): StackEvidence {
    const unreadable = [cluster, mesh].find((outputs) => typeof outputs === "string");
    return { stack, kind, ...(last && { last }), locked, pending, ...(unreadable !== undefined && { unreadable }) };
}

/** What the mesh was deployed with. Its ingress is that of its file: the outputs are for people. */
function meshEvidence({ stack, mesh }: DeployedStack, plan: Project, published: readonly PublishedCluster[]): MeshEvidence[] {
    if (typeof mesh !== "object") return [];
    const settings = plan.meshes.find((one) => one.stack === stack)?.config;
    return [
        {
            stack,
            members: Object.keys(mesh.members),
            network: mesh.network,
            ingress: settings?.ingress === "all" ? "all" : [...(settings?.ingress ?? [])],
            connections: mesh.connections,
            outdated: [
                ...(settings?.clusters ?? [])
                    .filter((name) => !Object.values(mesh.members).some((member) => shortStackName(member.stack) === shortStackName(name)))
                    .map((name) => ({ stack: shortStackName(name), what: "it is in the mesh's file, and not joined yet" })),
                ...Object.values(mesh.members).flatMap((member) => {
                    if (!settings?.clusters.some((name) => shortStackName(name) === shortStackName(member.stack)))
                        return [{ stack: shortStackName(member.stack), what: "it is joined, and no longer in the mesh's file" }];
                    const now = published.find(({ name }) => name === member.name);
                    return now ? changes(member, plain(now)).map((what) => ({ stack: shortStackName(member.stack), what })) : [];
                }),
            ],
        },
    ];
}

function changes(before: ClusterFacts, now: ClusterFacts): string[] {
    const keys = (Object.keys({ ...before, ...now }) as (keyof ClusterFacts)[]).filter((key) => key !== "stack");
    return keys
        .filter((key) => !isDeepStrictEqual(before[key], now[key]))
        .map((key) => `${key} was ${JSON.stringify(before[key])} when the mesh was deployed, and is ${JSON.stringify(now[key])}`);
}

/** Without the secrets. */
function plain({ kubeconfig: _, etcdClient: __, ...facts }: PublishedCluster): ClusterFacts {
    return facts;
}
