import { z } from "zod";
import { accountOf, type PlannedFacts, plannedFacts, zoneNames } from "../facts/planned.ts";
import { ordered, pairs } from "../network/mesh.ts";
import { fitProblems } from "../preflight.ts";
import type { ClusterConfig } from "../settings/parse.ts";
import type { Project } from "../settings/project.ts";
import { fullStackName, shortStackName, stackFile } from "../stack-names.ts";
import { addressMap, freeBlocks, freeIds } from "./addresses.ts";
import { clusterCost, meshCost, total, unitPrices } from "./cost.ts";
import { PRICE_DATES, PRICE_SOURCE } from "./prices.ts";
import { accountQuotas, addressNeeds, gatewayRegions, meshQuotas } from "./quotas.ts";
import { clusterResources, meshResources, type Resources } from "./resources.ts";

const Costs = z.array(
    z.strictObject({
        what: z.string(),
        region: z.string(),
        count: z.int(),
        each: z.number().nullable().describe("USD per month for one; null if the price table does not have it"),
        monthly: z.number().nullable(),
        pricesOf: z.string().nullable().describe("region whose price was used"),
    }),
);

const Stack = {
    stack: z.string(),
    resources: z.strictObject({ total: z.int(), byType: z.record(z.string(), z.int()) }),
    cost: z.strictObject({ monthly: z.number(), items: Costs }),
};

const Cluster = z.strictObject({
    ...Stack,
    name: z.string(),
    id: z.int(),
    region: z.string(),
    accountId: z.string().nullable().describe("null: the account of the credentials that run Pulumi"),
    assumeRole: z.string().nullable(),
    zones: z.array(z.string()).describe('"zone 1" and so on if only AWS knows the names'),
    kubernetesVersion: z.string(),
    ciliumVersion: z.string(),
    wiring: z.enum(["direct", "kvstoremesh"]),
    mtu: z.int(),
    nodes: z.strictObject({
        instanceTypes: z.array(z.string()),
        min: z.int(),
        desired: z.int(),
        max: z.int(),
        subnets: z.enum(["private", "public"]),
    }),
    nat: z.enum(["zone", "single", "none"]),
    etcdAddresses: z.array(z.string()),
});

const Pair = z.strictObject({
    clusters: z.tuple([z.string(), z.string()]),
    regions: z.tuple([z.string(), z.string()]),
    mtu: z.int().describe("largest packet between them, in bytes"),
});

const Mesh = z.strictObject({
    ...Stack,
    network: z.enum(["peering", "transit-gateway"]),
    members: z.array(z.string()).describe("names of the clusters"),
    notHere: z.array(z.string()).describe("stacks of other projects, which are not checked"),
    pairs: z.array(Pair),
});

/** The report of `clustermesh plan`. */
export const PlanReport = z.strictObject({
    version: z.literal(1),
    clusters: z.array(Cluster),
    meshes: z.array(Mesh),
    addresses: z.array(
        z.strictObject({
            cidr: z.string(),
            cluster: z.string(),
            use: z.enum(["VPC", "private subnet", "public subnet", "services", "Cilium routers"]),
            zone: z.string().optional(),
        }),
    ),
    free: z.strictObject({ blocks: z.array(z.string()), ids: z.array(z.int()) }).describe("available to another cluster"),
    quotas: z.array(z.strictObject({ what: z.string(), code: z.string().nullable(), where: z.string(), needed: z.int(), limit: z.int() })),
    cost: z.strictObject({
        monthly: z.number().describe("USD per month, for everything that has a price and does not depend on traffic"),
        unpriced: z.array(z.string()),
        byUse: z.array(z.strictObject({ what: z.string(), region: z.string(), unit: z.string(), usd: z.number(), pricesOf: z.string() })),
        prices: z.strictObject({ from: z.string(), to: z.string(), source: z.string() }),
    }),
});
export type PlanReport = z.infer<typeof PlanReport>;

/** Number of free ids in the report. */
const IDS_SHOWN = 4;

/**
 * Plans the deployment of a folder's stack files.
 *
 * @param project "<organization>/<project>", to which the folder's stacks belong
 * @returns every problem across files, or the report
 */
export function planReport(files: Project, project: string): { report?: PlanReport; problems: string[] } {
    const meshes = files.meshes.map((mesh) => ({ ...mesh, ...plannedMembers(mesh, files, project) }));
    const problems = [
        ...meshes.flatMap((mesh) => mesh.problems),
        ...sharedClusterProblems(meshes),
        ...meshes.flatMap(({ stack, config, members }) => fitProblems(members, { ...config, file: stackFile(stack) })),
    ];
    if (problems.length > 0) return { problems: [...new Set(problems)] };

    const configs = files.clusters.map(({ config }) => config);
    const clusters = files.clusters.map(({ stack, config }) => clusterPlan(stack, config, project));
    const planned = meshes.map(meshPlan);
    const regions = meshes.flatMap(({ members, config }) => gatewayRegions(members, config));
    const addresses = addressMap(configs);
    const costs = [...clusters, ...planned].flatMap(({ cost }) => cost.items);
    return {
        problems: [],
        report: {
            version: 1,
            clusters,
            meshes: planned,
            addresses,
            free: {
                blocks: freeBlocks(addresses.map(({ cidr }) => cidr)),
                ids: freeIds(configs.map(({ id }) => id)).slice(0, IDS_SHOWN),
            },
            quotas: [
                ...accountQuotas(configs, regions),
                ...meshes.flatMap(({ members, config }) => meshQuotas(members, config)),
                ...configs.map(addressNeeds),
            ],
            cost: {
                monthly: total(costs),
                unpriced: costs.filter(({ monthly }) => monthly === null).map(({ what, region }) => `${what} in ${region}`),
                byUse: unitPrices(configs, regions.length > 0),
                prices: { ...PRICE_DATES, source: PRICE_SOURCE },
            },
        },
    };
}

/** The clusters of a mesh, sorted by name. `problems` names the clusters without a stack file. */
export function plannedMembers({ stack, config }: Project["meshes"][number], { clusters, invalid }: Project, project: string) {
    const known = new Map(clusters.map((cluster) => [fullStackName(cluster.stack, project), cluster]));
    // The organization is ignored: it belongs to the backend, and stack files do not say which one is in use.
    const here = (full: string) => full.split("/").at(-2) === project.split("/").at(-1);
    const local = (full: string) => fullStackName(shortStackName(full), project);
    const missing = config.clusters.filter((full) => here(full) && !known.has(local(full)) && !invalid.includes(shortStackName(full)));
    const members = config.clusters.flatMap((full) => {
        const found = here(full) && known.get(local(full));
        return found ? [plannedFacts(found.config, local(full))] : [];
    });
    return {
        members: ordered(members),
        notHere: config.clusters.filter((full) => !here(full)),
        problems: missing.map(
            (full) =>
                `${stackFile(stack)}: clusters lists ${shortStackName(full)}, but ${stackFile(full)} does not exist or is not a cluster: create it or correct the name`,
        ),
    };
}

/** Clusters in more than one mesh: each mesh would overwrite the peers of the other. */
function sharedClusterProblems(meshes: readonly { stack: string; members: readonly PlannedFacts[] }[]): string[] {
    const joins = meshes.flatMap(({ stack, members }) => members.map((member) => ({ file: stackFile(stack), stack: member.stack })));
    return [...Map.groupBy(joins, (join) => join.stack)]
        .filter(([, found]) => found.length > 1)
        .map(
            ([stack, found]) =>
                `${found.map(({ file }) => file).join(" and ")} both list ${shortStackName(stack)}, but a cluster can be in only one mesh: remove it from all others`,
        );
}

function clusterPlan(stack: string, config: ClusterConfig, project: string): PlanReport["clusters"][number] {
    const facts = plannedFacts(config, fullStackName(stack, project));
    const { instanceTypes, min, desired, max, subnets } = config.nodeGroup;
    return {
        ...stackPlan(stack, clusterResources(config), clusterCost(config)),
        name: config.name,
        id: config.id,
        region: config.region,
        accountId: accountOf(config) ?? null,
        assumeRole: config.assumeRole ?? null,
        zones: zoneNames(config),
        kubernetesVersion: config.kubernetesVersion,
        ciliumVersion: config.cilium.version,
        wiring: facts.wiring,
        mtu: config.mtu,
        nodes: { instanceTypes, min, desired, max, subnets },
        nat: config.nat,
        etcdAddresses: facts.etcd.addresses,
    };
}

function meshPlan(mesh: Project["meshes"][number] & { members: readonly PlannedFacts[]; notHere: string[] }): PlanReport["meshes"][number] {
    const { stack, config, members, notHere } = mesh;
    return {
        ...stackPlan(stack, meshResources(members, config), meshCost(members, config)),
        network: config.network,
        members: members.map(({ name }) => name),
        notHere,
        // Preflight has already refused packets that are too large for the path.
        pairs: pairs(members).map(([a, b]) => ({
            clusters: [a.name, b.name],
            regions: [a.region, b.region],
            mtu: Math.min(a.mtu, b.mtu),
        })),
    };
}

function stackPlan(stack: string, byType: Resources, items: ReturnType<typeof clusterCost>) {
    const resources = Object.values(byType).reduce((sum, count) => sum + count, 0);
    return { stack, resources: { total: resources, byType }, cost: { monthly: total(items), items } };
}
