import { isDeepStrictEqual } from "node:util";
import { certificatesIn } from "../core/cilium/certificates.ts";
import type { AwsEvidence, ClusterEvidence, Evidence, MeshEvidence, StackEvidence } from "../core/doctor/evidence.ts";
import type { Depth } from "../core/doctor/fetch.ts";
import type { ClusterFacts, MeshOutputs, PublishedCluster } from "../core/facts/schema.ts";
import type { Project } from "../core/settings/project.ts";
import { shortStackName } from "../core/stack-names.ts";
import { explain } from "../core/text/explain.ts";
import { type Clients, kubernetesClients } from "../kubernetes/clients.ts";
import { kubernetesEvidence, nodeNames, unreachableEvidence } from "../kubernetes/evidence.ts";
import { type Aws, awsCommandLine } from "./aws/command-line.ts";
import { awsEvidence } from "./aws/evidence.ts";
import type { Context } from "./command.ts";
import type { DeployedStack } from "./engine/deployed.ts";

/** A mesh and its clusters, or a cluster that is in no deployed mesh. */
interface Group {
    mesh?: MeshEvidence;
    clusters: PublishedCluster[];
}

/**
 * Gathers evidence from everything that knows the meshes, in parallel: the stacks (already read into `deployed`), AWS, API servers and agents. Clusters of
 * different meshes are kept apart, since they may have the same names, ids and addresses. A part that cannot be read holds the reason.
 *
 * Cost with n nodes in all: doctor runs three commands in every agent, status one; doctor makes six AWS requests per cluster, status four.
 *
 * @throws the abort's reason
 */
export async function gather(
    deployed: readonly DeployedStack[],
    project: Project,
    { env, signal }: Pick<Context, "env" | "signal">,
    depth: Depth,
): Promise<Evidence> {
    const groups = groupByMesh(deployed, project);
    const aws = awsCommandLine(env, signal);
    const clusters = await Promise.all(groups.map((group) => gatherGroup(group, aws, depth, signal)));
    signal.throwIfAborted();
    return {
        version: 1,
        gatheredAt: new Date().toISOString(),
        stacks: deployed.map(stackEvidence),
        meshes: groups.flatMap(({ mesh }) => mesh ?? []),
        clusters: clusters.flat(),
    };
}

/** Exported for tests: the clusters of each mesh, then each cluster in no mesh by itself. */
export function groupByMesh(deployed: readonly DeployedStack[], project: Project): Group[] {
    const published = deployed.flatMap(({ cluster }) => (typeof cluster === "object" ? [cluster] : []));
    const meshes = deployed.flatMap(({ stack, mesh }) => {
        if (typeof mesh !== "object") return [];
        const clusters = published.filter((cluster) => Object.values(mesh.members).some((member) => isSame(member, cluster)));
        return [{ mesh: meshEvidence(stack, mesh, project, clusters), clusters }];
    });
    const alone = published.filter((cluster) => !meshes.some(({ clusters }) => clusters.includes(cluster)));
    return [...meshes, ...alone.map((cluster) => ({ clusters: [cluster] }))];
}

/** Stacks give the full or the short stack name, and cluster names are unique only within a mesh. */
function isSame(a: ClusterFacts, b: ClusterFacts): boolean {
    return a.name === b.name && shortStackName(a.stack) === shortStackName(b.stack);
}

async function gatherGroup({ mesh, clusters }: Group, aws: Aws, depth: Depth, signal: AbortSignal): Promise<ClusterEvidence[]> {
    const clients = kubernetesClients(Object.fromEntries(clusters.map(({ name, kubeconfig }) => [name, kubeconfig])), signal);
    const authorities = clusters.map(({ etcdClient }) => etcdClient.ca);
    // Started now and awaited last, because the AWS CLI takes longer than all API servers together.
    const cloud = clusters.map((cluster) => awsEvidence(aws, plainFacts(cluster), mesh, depth));
    const nodes = depth === "doctor" ? await nodesByCluster(clients, clusters) : new Map();
    return Promise.all(
        clusters.map(async (cluster, i): Promise<ClusterEvidence> => {
            const facts = plainFacts(cluster);
            const peers = (mesh?.members ?? []).filter((name) => name !== cluster.name);
            const request = { cluster: facts, peers, authorities, nodes, depth };
            const kubernetes = await kubernetesEvidence(clients, request).catch((error) =>
                unreachableEvidence(explain(error), facts.wiring),
            );
            const { ca, cert } = cluster.etcdClient;
            return {
                facts,
                ...(mesh && { mesh: mesh.stack }),
                published: { ca: certificatesIn(ca, [ca]), client: certificatesIn(cert, authorities) },
                kubernetes,
                aws: await (cloud[i] as Promise<AwsEvidence>),
            };
        }),
    );
}

/** Names of the nodes. A cluster whose nodes cannot be listed is absent, so its nodes are not judged. */
async function nodesByCluster(clients: Clients, clusters: readonly PublishedCluster[]): Promise<Map<string, string[]>> {
    const lists = clusters.map(({ name }) =>
        nodeNames(clients, name).then(
            (names) => [[name, names] as const],
            () => [],
        ),
    );
    return new Map((await Promise.all(lists)).flat());
}

function stackEvidence({ stack, kind, last, locked, pending, cluster, mesh }: DeployedStack): StackEvidence {
    const unreadable = [cluster, mesh].find((outputs) => typeof outputs === "string");
    return { stack, kind, ...(last && { last }), locked, pending, ...(unreadable !== undefined && { unreadable }) };
}

/** What the mesh was deployed with. The ingress comes from its file, because the output is written for people. */
function meshEvidence(stack: string, mesh: MeshOutputs, project: Project, clusters: readonly PublishedCluster[]): MeshEvidence {
    const settings = project.meshes.find((file) => file.stack === stack)?.config;
    const members = Object.values(mesh.members);
    const isIn = (stacks: readonly string[], stack: string) => stacks.some((other) => shortStackName(other) === shortStackName(stack));
    const added = (settings?.clusters ?? []).filter(
        (name) =>
            !isIn(
                members.map((member) => member.stack),
                name,
            ),
    );
    return {
        stack,
        members: Object.keys(mesh.members),
        network: mesh.network,
        ingress: settings?.ingress === "all" ? "all" : [...(settings?.ingress ?? [])],
        connections: mesh.connections,
        outdated: [
            ...added.map((name) => ({ stack: shortStackName(name), what: "listed in the mesh's file, but not joined yet" })),
            ...members.flatMap((member) => {
                const name = shortStackName(member.stack);
                if (!isIn(settings?.clusters ?? [], member.stack))
                    return [{ stack: name, what: "joined, but no longer listed in the mesh's file" }];
                const current = clusters.find((cluster) => isSame(cluster, member));
                return current ? changes(member, plainFacts(current)).map((what) => ({ stack: name, what })) : [];
            }),
        ],
    };
}

function changes(before: ClusterFacts, now: ClusterFacts): string[] {
    const keys = (Object.keys({ ...before, ...now }) as (keyof ClusterFacts)[]).filter((key) => key !== "stack");
    return keys
        .filter((key) => !isDeepStrictEqual(before[key], now[key]))
        .map((key) => `${key} was ${JSON.stringify(before[key])} when the mesh was deployed, and is ${JSON.stringify(now[key])} now`);
}

/** Facts without the secrets. */
function plainFacts({ kubeconfig: _, etcdClient: __, ...facts }: PublishedCluster): ClusterFacts {
    return facts;
}
