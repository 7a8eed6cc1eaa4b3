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
    accountId: z.string().nullable().describe("null: not known before it is deployed"),
    vpcId: z.string().nullable(),
    vpcCidrs: z.array(z.string()),
    etcd: z.array(z.string()).describe("addresses of the load balancer before the etcd, one in each zone"),
    kubernetesVersion: z.string(),
    ciliumVersion: z.string(),
    state: z.enum(["deployed", "planned"]),
});

const State = z.enum(["connected", "planned", "broken"]);

/** In the order of the legend. */
export const LINK_STATES = State.options;

/** A mesh as it is drawn. */
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
            detail: z.string().nullable().describe("AWS's word for the state, where it was asked"),
        }),
    ),
});
export type Topology = z.infer<typeof Topology>;
export type Link = Topology["links"][number];
export type LinkState = Link["state"];

/** What the mesh's stack has published. */
interface Deployed {
    /** By name. */
    members: Record<string, unknown>;
    /** Ids of peering connections by "a.b", or of Transit Gateways by region. */
    connections: Record<string, string>;
}

/**
 * @param planned the mesh's clusters, as their files have them
 * @param facts what those that are deployed have published
 * @param deployed none: the mesh's stack is not deployed
 * @param states AWS's words for the states of connections, by id, where somebody has asked
 */
export function topology(
    { mesh, network, planned }: { mesh: string; network: Topology["network"]; planned: readonly PlannedFacts[] },
    facts: readonly ClusterFacts[] = [],
    deployed?: Deployed,
    states: ReadonlyMap<string, string> = new Map(),
): Topology {
    // Clusters of a region stand beside each other.
    const clusters = ordered(planned)
        .map((plan) =>
            cluster(
                plan,
                facts.find(({ stack }) => shortStackName(stack) === shortStackName(plan.stack)),
            ),
        )
        .toSorted((a, b) => a.region.localeCompare(b.region, "en") || a.id - b.id);
    const connections = deployed?.connections ?? {};
    const joined = ({ name }: Topology["clusters"][number]) => deployed !== undefined && name in deployed.members;

    const link = (kind: Link["kind"], ends: [string, string], made: boolean, id: string | null): Link => {
        const detail = (id && states.get(id)) ?? null;
        const state = !made ? "planned" : detail === null || ["active", "available"].includes(detail) ? "connected" : "broken";
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
    const there = (region: string) => region in connections;
    const links = [
        ...clusters.map((one) => link("attachment", [one.name, one.region], joined(one), null)),
        ...pairs(gateways).map(([a, b]) => link("gateway-peering", [a.region, b.region], there(a.region) && there(b.region), null)),
    ];
    return { version: 1, mesh, network, clusters, gateways, links };
}

/** What is deployed, where it is: a file may have been changed since. */
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

/** "connected by VPC peering pcx-1 (active)", for people. */
export function describeLink({ kind, id, state, detail }: Link): string {
    const what = { peering: "VPC peering", attachment: "Transit Gateway attachment", "gateway-peering": "Transit Gateway peering" }[kind];
    return [what, ...(id ? [id] : []), `(${detail ?? state})`].join(" ");
}
