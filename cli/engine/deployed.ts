import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import { type MeshOutputs, type PublishedCluster, parseCluster, parseMesh } from "../../core/facts/schema.ts";
import type { Project } from "../../core/settings/project.ts";
import { shortStackName } from "../../core/stack-names.ts";
import type { Context } from "../command.ts";
import { describeUrn } from "../ui/progress.ts";
import { engine } from "./engine.ts";
import { interruptedCreations } from "./interrupted.ts";

/** A stack of the plan, and what its backend knows of it: neither AWS nor Kubernetes is asked. */
export interface DeployedStack {
    stack: string;
    kind: "cluster" | "mesh";
    /** The last operation: what it was ("update", "refresh", "destroy"), how it ended, when. None: it was never run. */
    last?: { kind: string; result: string; at: string };
    /** Whether somebody works on it now, as far as the backend tells. */
    locked: boolean;
    /** What a killed run was making. */
    pending: string[];
    /** Resources that the state has. */
    resources: number;
    /** Of a cluster stack, or why it cannot be read. With secrets: never print it. */
    cluster?: PublishedCluster | string;
    /** Of a mesh stack, or why it cannot be read. */
    mesh?: MeshOutputs | string;
}

const Listed = z.array(z.looseObject({ name: z.string(), updateInProgress: z.boolean().nullish() }));
const Update = z.looseObject({ kind: z.string(), result: z.string(), startTime: z.string(), endTime: z.string().optional() });
const Exported = z.object({ deployment: z.looseObject({ resources: z.array(z.looseObject({ type: z.string() })).nullish() }).nullish() });

/**
 * Reads all stacks of a plan from the state backend, beside each other. About a second and a half of processor time for each.
 *
 * @throws Error with what the engine says: no login, a wrong passphrase
 */
export async function readDeployed(plan: Project, { folder, env }: Pick<Context, "folder" | "env">): Promise<DeployedStack[]> {
    const { command } = await engine();
    const pulumi = async (...args: string[]) => {
        const { stdout } = await promisify(execFile)(command, [...args, "--non-interactive"], {
            cwd: folder,
            env: { ...process.env, ...env },
            // A state may be large.
            maxBuffer: Number.POSITIVE_INFINITY,
        }).catch((error) => {
            throw new Error(`pulumi ${args.join(" ")}: ${String(error.stderr ?? error.message).trim()}`, { cause: error });
        });
        return JSON.parse(stdout || "null") as unknown;
    };

    const listed = Listed.parse(await pulumi("stack", "ls", "--json"));
    const stacks = [
        ...plan.clusters.map(({ stack }) => ({ stack, kind: "cluster" as const })),
        ...plan.meshes.map(({ stack }) => ({ stack, kind: "mesh" as const })),
    ];
    return Promise.all(
        stacks.map(async ({ stack, kind }): Promise<DeployedStack> => {
            const known = listed.find(({ name }) => name === stack || name.endsWith(`/${stack}`));
            const readOutputs = (outputs: Record<string, unknown>) =>
                kind === "cluster" ? { cluster: parseCluster(stack, outputs) } : { mesh: parseMesh(stack, outputs) };
            if (!known) return { stack, kind, locked: false, pending: [], resources: 0, ...readOutputs({}) };
            const [history, state, outputs] = await Promise.all([
                pulumi("stack", "history", "--json", "--page-size", "1", "--stack", stack),
                pulumi("stack", "export", "--stack", stack),
                pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack),
            ]);
            const [last] = z.array(Update).parse(history ?? []);
            const { deployment } = Exported.parse(state);
            return {
                stack,
                kind,
                ...(last && { last: { kind: last.kind, result: last.result, at: last.endTime ?? last.startTime } }),
                locked: known.updateInProgress === true,
                pending: interruptedCreations(deployment).map(({ urn }) => describeUrn(urn)),
                resources: (deployment?.resources ?? []).length,
                ...readOutputs(z.record(z.string(), z.unknown()).parse(outputs ?? {})),
            };
        }),
    );
}

/** The clusters of the plan's meshes that can be reached, by name; what cannot be read of them is told in `problems`. */
export function deployedMembers(deployed: readonly DeployedStack[]): { members: PublishedCluster[]; problems: string[] } {
    const joined = new Set(deployed.flatMap(({ mesh }) => (typeof mesh === "object" ? Object.keys(mesh.members) : [])));
    const clusters = deployed.flatMap(({ cluster }) => cluster ?? []);
    return {
        members: clusters.filter((cluster) => typeof cluster === "object").filter(({ name }) => joined.has(name)),
        problems: [
            ...clusters.filter((cluster) => typeof cluster === "string"),
            ...deployed.flatMap(({ mesh }) => (typeof mesh === "string" ? [mesh] : [])),
        ],
    };
}

/** Meshes of which clusters are not deployed yet, or by another version of this program: such a mesh can be neither previewed nor deployed. By stack, with those clusters. */
export function meshesThatWait({ meshes }: Project, deployed: readonly DeployedStack[]): Map<string, string[]> {
    const absent = deployed.flatMap(({ stack, cluster }) => (typeof cluster === "string" ? [stack] : []));
    return new Map(
        meshes
            .map(({ stack, config }) => [stack, config.clusters.map(shortStackName).filter((cluster) => absent.includes(cluster))] as const)
            .filter(([, clusters]) => clusters.length > 0),
    );
}
