import { planReport } from "../plan/report.ts";
import { type ClusterConfig, type MeshConfig, parseConfig } from "../settings/parse.ts";
import type { Project } from "../settings/project.ts";
import { stackFile } from "../stack-names.ts";
import { type Allocation, allocate, allocateNext, type UsedAddresses } from "./allocate.ts";
import { clusterSettings, sharedSettings } from "./inherit.ts";

/** What `clustermesh init` was asked for. */
export interface NewMesh {
    /** The CIDR that all VPCs are taken from. */
    supernet: string;
    clusters: readonly { stack: string; region: string }[];
    /** The mesh stack. */
    mesh: string;
    network: string;
    /** Source CIDRs that may reach the API servers. Empty: the API servers are private. */
    publicCidrs: readonly string[];
}

/** A cluster as its new file describes it. */
interface NewCluster {
    stack: string;
    region: string;
    id: number;
    vpcCidr: string;
}

type Settings = { kind: "cluster" | "mesh" } & Record<string, unknown>;

export interface Scaffold {
    /** Settings of the new stacks, by stack name. Not to be used when there are problems. */
    files: ReadonlyMap<string, Settings>;
    clusters: readonly NewCluster[];
    /** Everything that prevents the new stacks. */
    problems: string[];
}

/** Stack names become part of a file name. */
const STACK_NAME = /^[\w.-]+$/;

/** Valid by itself, so that everything else in a file is checked even when no addresses could be allocated. */
const PLACEHOLDER: Allocation = { id: 1, vpcCidr: "10.0.0.0/16" };

/**
 * The stack files of a new mesh, with ids and CIDRs that no cluster of the folder uses.
 *
 * @param existing the stacks that the folder already has
 * @param project "<organization>/<project>", which completes short stack names
 */
export function newMesh(wanted: NewMesh, existing: Project, project: string): Scaffold {
    const { supernet, clusters, mesh, network, publicCidrs } = wanted;
    const { allocations, problems } = allocate(supernet, clusters.length, existing.clusters.map(usedAddresses));
    const shared = { nat: "single", ...(publicCidrs.length > 0 && { endpoint: { publicCidrs: [...publicCidrs] } }) };
    const added = clusters.map(({ stack, region }, i) => ({ stack, region, ...(allocations?.[i] ?? PLACEHOLDER) }));
    const files: [string, Settings][] = [
        ...added.map((cluster): [string, Settings] => [cluster.stack, clusterSettings(cluster.stack, cluster.region, cluster, shared)]),
        [mesh, { kind: "mesh", clusters: clusters.map(({ stack }) => stack), network }],
    ];
    return scaffold(files, added, existing, project, problems);
}

/**
 * The stack file of one more cluster: the next free id and CIDR, and the settings on which the folder's clusters agree.
 *
 * @param supernet if given, the block that the VPC is taken from
 */
export function newCluster(stack: string, region: string, existing: Project, project: string, supernet?: string): Scaffold {
    const configs = existing.clusters.map(({ config }) => config);
    if (configs.length === 0)
        return {
            files: new Map(),
            clusters: [],
            problems: [...existing.problems, "no cluster stack to go by: `clustermesh init` writes the first files"],
        };
    const { allocation, problems } = allocateNext(existing.clusters.map(usedAddresses), supernet);
    const cluster = { stack, region, ...(allocation ?? PLACEHOLDER) };
    const settings = clusterSettings(stack, region, cluster, sharedSettings(configs, region));
    return scaffold([[stack, settings]], [cluster], existing, project, problems);
}

function scaffold(
    files: readonly (readonly [string, Settings])[],
    clusters: readonly (NewCluster & Allocation)[],
    existing: Project,
    project: string,
    allocationProblems: readonly string[],
): Scaffold {
    const parsed = files.map(([stack, settings]) => ({ stack, ...parseConfig(settings, project) }));
    const problems = [
        ...existing.problems,
        ...allocationProblems,
        ...nameProblems(files.map(([stack]) => stack)),
        ...parsed.flatMap(({ stack, problems }) => problems.map((problem) => `${stackFile(stack)}: ${problem}`)),
    ];
    const withKind = <Config extends ClusterConfig | MeshConfig>(kind: Config["kind"]) =>
        parsed.flatMap(({ stack, config }) => (config?.kind === kind ? [{ stack, config: config as Config }] : []));
    const together: Project = {
        clusters: [...existing.clusters, ...withKind<ClusterConfig>("cluster")],
        meshes: [...existing.meshes, ...withKind<MeshConfig>("mesh")],
        problems: [],
        invalid: [],
    };
    return {
        files: new Map(files),
        clusters: clusters.map(({ stack, region, id, vpcCidr }) => ({ stack, region, id, vpcCidr })),
        problems: problems.length > 0 ? problems : planReport(together, project).problems,
    };
}

function nameProblems(names: readonly string[]): string[] {
    return [
        ...names
            .filter((name) => !STACK_NAME.test(name))
            .map((name) => `stack name ${JSON.stringify(name)} must consist of letters, digits, ".", "_" and "-"`),
        ...[...new Set(names.filter((name, i) => names.indexOf(name) < i))].map(
            (name) => `two stacks cannot both be called ${name}: each needs a file of its own`,
        ),
    ];
}

function usedAddresses({ config: { id, vpcCidr, serviceCidr, cilium } }: Project["clusters"][number]): UsedAddresses {
    return { id, vpcCidr, serviceCidr, poolCidr: cilium.poolCidr };
}
