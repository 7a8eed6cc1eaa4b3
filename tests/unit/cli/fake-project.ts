import type { DeployedStack } from "../../../cli/engine/deployed.ts";
import type { MeshOutputs, PublishedCluster } from "../../../core/facts/schema.ts";
import { parseConfig } from "../../../core/settings/parse.ts";
import type { Project } from "../../../core/settings/project.ts";
import { fullStackName } from "../../../core/stack-names.ts";
import { member } from "../../members.ts";

const PROJECT = "organization/clustermesh";

/**
 * A project of several meshes, by stack: `{ mesh: ["a", "b"] }`. Clusters have ids in the order of their first mention.
 *
 * @param loose clusters that are in no mesh
 */
export function project(meshes: Record<string, string[]>, loose: readonly string[] = []): Project {
    const clusters = [...new Set([...Object.values(meshes).flat(), ...loose])];
    const valid = <Kind extends "cluster" | "mesh">(kind: Kind, settings: object) => {
        const { config, problems } = parseConfig({ kind, ...settings }, PROJECT);
        if (config?.kind !== kind) throw new Error(problems.join("\n"));
        return config as Extract<typeof config, { kind: Kind }>;
    };
    return {
        clusters: clusters.map((stack, i) => ({
            stack,
            config: valid("cluster", { name: `c${i + 1}`, id: i + 1, region: "eu-central-1", vpcCidr: `10.${i + 1}.0.0/16` }),
        })),
        meshes: Object.entries(meshes).map(([stack, names]) => ({ stack, config: valid("mesh", { clusters: names }) })),
        problems: [],
        invalid: [],
    };
}

/** A deployed cluster stack. @param name Cilium's name of the cluster */
export function deployedCluster(stack: string, name = stack): DeployedStack {
    const cluster: PublishedCluster = {
        ...member(1, { name }),
        stack,
        kubeconfig: `kubeconfig of ${stack}`,
        etcdClient: { ca: "", cert: "", key: "" },
    };
    return { stack, kind: "cluster", locked: false, pending: [], resources: 80, cluster };
}

/** A deployed mesh stack. @param members stacks by Cilium's name of the cluster */
export function deployedMesh(stack: string, members: Record<string, string>): DeployedStack {
    const outputs: MeshOutputs = {
        network: "peering",
        members: Object.fromEntries(
            Object.entries(members).map(([name, cluster]) => [name, { ...member(1, { name }), stack: fullStackName(cluster, PROJECT) }]),
        ),
        connections: {},
    };
    return { stack, kind: "mesh", locked: false, pending: [], resources: 30, mesh: outputs };
}

/** A stack that does not exist yet. */
export function notDeployed(stack: string, kind: DeployedStack["kind"]): DeployedStack {
    return { stack, kind, locked: false, pending: [], resources: 0, [kind]: `stack ${stack} has no outputs` };
}
