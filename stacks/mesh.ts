import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../components/cluster.ts";
import { Ingress } from "../components/ingress.ts";
import { Member } from "../components/member.ts";
import { Peering } from "../components/peering.ts";
import { awsProvider, kubernetesProvider, queryAws } from "../components/providers.ts";
import { ReadyGate } from "../components/ready-gate.ts";
import { TransitGateways } from "../components/transit-gateway.ts";
import type { ClusterFacts } from "../core/facts/schema.ts";
import { ordered, pairs, peersOf } from "../core/network/mesh.ts";
import { meshProblems } from "../core/preflight.ts";
import type { MeshConfig } from "../core/settings/parse.ts";
import { stackFile } from "../core/stack-names.ts";
import { problemList } from "../core/text/problems.ts";
import { readClusters } from "./read-clusters.ts";

/** Joins the clusters into one mesh: networks, then the configuration of the agents, then the gates that wait until all agents see all clusters. */
export async function meshStack(config: MeshConfig) {
    const members = ordered(await readClusters(config.clusters));
    refuseUnfit(members, config);
    const providerOf = memberProviders(config.tags);

    const network = await connectNetworks(config, members, providerOf);
    let gate: ReadyGate | undefined;
    for (const self of members) {
        const peers = peersOf(self, members);
        const ingress = new Ingress(self.name, { self, peers, policy: config.ingress, provider: providerOf });
        // An agent's start takes a minute longer for each configured peer that it cannot reach. Each member waits for its own paths only: waiting for all paths
        // would make the number of dependencies grow with the cube of the clusters.
        const dependsOn = [ingress, ...network.pathsOf(self), ...(config.rolling && gate ? [gate] : [])];
        const member = new Member(self.name, { self, peers }, { providers: [kubernetesProvider(self.name, self)], dependsOn });
        gate = new ReadyGate(self.name, { self, peers, memberRevision: member.revision, ...config.gate }, { dependsOn: member });
    }

    return {
        network: config.network,
        ingress: config.ingress,
        members: Object.fromEntries(members.map((member) => [member.name, published(member)])),
        connections: network.connections,
    };
}

/** Stops before any resource is created if the clusters do not fit together. */
function refuseUnfit(members: readonly Cluster[], config: MeshConfig): void {
    const file = stackFile(pulumi.getStack());
    const problems = meshProblems(members, { ...config, file }, new Date());
    if (problems.length > 0) throw new pulumi.RunError(`these clusters cannot form a mesh:\n${problemList(problems)}`);
}

/** A provider for each account, region and role, created on first use. Named after them, so that a member that leaves changes no provider of another. */
function memberProviders(tags: Record<string, string>) {
    const providers = new Map<string, aws.Provider>();
    return (member: ClusterFacts): aws.Provider => {
        const role = member.assumeRole?.split(":role/")[1] ?? [];
        const key = [member.accountId, member.region].concat(role).join(".");
        const provider = providers.get(key) ?? awsProvider(key, member, meshTags(tags));
        providers.set(key, provider);
        return provider;
    };
}

function meshTags(tags: Record<string, string>) {
    return { ...tags, "clustermesh:mesh": pulumi.getStack() };
}

interface ConnectedNetworks {
    /** The resources that must exist before the member and its peers can reach each other. */
    pathsOf: (member: ClusterFacts) => pulumi.Resource[];
    /** Ids of peering connections by the two clusters, or of Transit Gateways by region. */
    connections: Record<string, pulumi.Output<string>>;
}

/** Connects every VPC with every other VPC. */
async function connectNetworks(
    { network, tags }: MeshConfig,
    members: readonly ClusterFacts[],
    providerOf: (member: ClusterFacts) => aws.Provider,
): Promise<ConnectedNetworks> {
    if (network === "peering") {
        const links = pairs(members).map(([a, b]) => {
            const name = `${a.name}.${b.name}`;
            const args = { requester: { facts: a, provider: providerOf(a) }, accepter: { facts: b, provider: providerOf(b) } };
            return { name, ends: [a, b], peering: new Peering(name, args) };
        });
        return {
            pathsOf: (member) => links.filter(({ ends }) => ends.includes(member)).map(({ peering }) => peering),
            connections: Object.fromEntries(links.map(({ name, peering }) => [name, peering.connectionId])),
        };
    }
    const hubs = new Map<string, aws.Provider>();
    const hubProvider = (region: string) => {
        const hub = hubs.get(region) ?? awsProvider(`hub.${region}`, { region }, meshTags(tags));
        hubs.set(region, hub);
        return hub;
    };
    const region = members[0]?.region ?? "";
    const query = aws.getCallerIdentity({}, { provider: hubProvider(region) });
    const { accountId } = await queryAws("the account id", { region }, stackFile(pulumi.getStack()), query);
    const gateways = new TransitGateways(pulumi.getStack(), { members, memberProvider: providerOf, hubProvider, hubAccountId: accountId });
    return { pathsOf: ({ name }) => gateways.paths.get(name) ?? [], connections: gateways.gatewayIds };
}

/** The facts of a member that `verify` and users need. No secrets: kubeconfigs stay outputs of the cluster stacks. */
function published({ kubeconfig: _, etcdClient: __, ...facts }: Cluster): ClusterFacts {
    return facts;
}
