import { z } from "zod";
import { accountOf, type PlannedFacts } from "../facts/planned.ts";
import type { ClusterFacts } from "../facts/schema.ts";
import { ordered, pairs } from "../network/mesh.ts";
import { regionsOf } from "../plan/resources.ts";
import { shortStackName } from "../stack-names.ts";

const Cluster = z.strictObject({
    name: z.string(),
    id: z.int(),
    region: z.string(),
    accountId: z.string().nullable().describe("null: unknown before deployment"),
    vpcId: z.string().nullable(),
    vpcCidrs: z.array(z.string()),
    etcd: z.array(z.string()).describe("addresses of the etcd's load balancer, one per zone"),
    kubernetesVersion: z.string(),
    ciliumVersion: z.string(),
    state: z.enum(["deployed", "planned"]),
});

const State = z.enum(["connected", "planned", "broken"]);

/** In the legend's order. */
export const LINK_STATES = State.options;

/** A mesh, to be drawn. */
export const Topology = z.strictObject({
    version: z.literal(1),
    mesh: z.string().describe("name of its stack"),
    network: z.enum(["peering", "transit-gateway"]),
    clusters: z.array(Cluster),
    gateways: z.array(z.strictObject({ region: z.string(), id: z.string().nullable(), state: z.enum(["deployed", "planned"]) })),
    links: z.array(
        z.strictObject({
            ends: z.tuple([z.string(), z.string()]).describe("names of clusters, or regions of Transit Gateways"),
            kind: z.enum(["peering", "attachment", "gateway-peering"]),
            id: z.string().nullable(),
            state: State,
            detail: z.string().nullable().describe("state as AWS reports it; null: not requested"),
        }),
    ),
});
export type Topology = z.infer<typeof Topology>;
export type Link = Topology["links"][number];
export type LinkState = Link["state"];

/** Outputs of the mesh's stack. */
interface Deployed {
    /** By name. */
    members: Record<string, unknown>;
    /** Ids of peering connections by the two clusters, "a.b", or of Transit Gateways by region. */
    connections: Record<string, string>;
}

/**
 * The topology of a mesh. What is deployed takes precedence over the stack files.
 *
 * @param planned facts of the mesh's clusters from their stack files
 * @param facts what the deployed clusters have published
 * @param deployed outputs of the mesh's stack; undefined: not deployed
 * @param states AWS's states of connections by id, where they were requested
 */
export function topology(
    { mesh, network, planned }: { mesh: string; network: Topology["network"]; planned: readonly PlannedFacts[] },
    facts: readonly ClusterFacts[] = [],
    deployed?: Deployed,
    states: ReadonlyMap<string, string> = new Map(),
): Topology {
    // Clusters of a region are next to each other.
    const clusters = ordered(planned)
        .map((plan) =>
            cluster(
                plan,
                facts.find(({ stack }) => shortStackName(stack) === shortStackName(plan.stack)),
            ),
        )
        .toSorted((a, b) => a.region.localeCompare(b.region, "en") || a.id - b.id);
    const connections = deployed?.connections ?? {};
    const isMember = ({ name }: Topology["clusters"][number]) => deployed !== undefined && name in deployed.members;

    const link = (kind: Link["kind"], ends: [string, string], exists: boolean, id: string | null): Link => {
        const detail = (id && states.get(id)) ?? null;
        const state = !exists ? "planned" : detail === null || ["active", "available"].includes(detail) ? "connected" : "broken";
        return { ends, kind, id, state, detail };
    };
    if (network === "peering") {
        const links = pairs(clusters).map(([a, b]) => {
            const [first, second] = ordered([a, b]);
            const id = connections[`${first?.name}.${second?.name}`] ?? null;
            return link("peering", [a.name, b.name], id !== null, id);
        });
        return { version: 1, mesh, network, clusters, gateways: [], links };
    }
    const gateways = regionsOf(clusters).map((region) => {
        const id = connections[region] ?? null;
        return { region, id, state: id ? ("deployed" as const) : ("planned" as const) };
    });
    const hasGateway = (region: string) => region in connections;
    const links = [
        ...clusters.map((cluster) => link("attachment", [cluster.name, cluster.region], isMember(cluster), null)),
        ...pairs(gateways).map(([a, b]) =>
            link("gateway-peering", [a.region, b.region], hasGateway(a.region) && hasGateway(b.region), null),
        ),
    ];
    return { version: 1, mesh, network, clusters, gateways, links };
}

/** A deployed cluster is shown as deployed, even if its file was changed since. */
function cluster(planned: PlannedFacts, facts: ClusterFacts | undefined): Topology["clusters"][number] {
    const { name, id, region, vpcCidrs, etcd, kubernetesVersion, ciliumVersion } = facts ?? planned;
    return {
        name,
        id,
        region,
        accountId: facts?.accountId ?? accountOf(planned) ?? null,
        vpcId: facts?.vpcId ?? null,
        vpcCidrs,
        etcd: etcd.addresses,
        kubernetesVersion,
        ciliumVersion,
        state: facts ? "deployed" : "planned",
    };
}

/** "VPC peering pcx-1 (active)" */
export function describeLink({ kind, id, state, detail }: Link): string {
    const what = { peering: "VPC peering", attachment: "Transit Gateway attachment", "gateway-peering": "Transit Gateway peering" }[kind];
    return [what, ...(id ? [id] : []), `(${detail ?? state})`].join(" ");
}
