import { expect } from "vitest";
import { type ClusterConfig, type MeshConfig, parseConfig } from "../../../core/settings/parse.ts";

export const PROJECT = "organization/clustermesh";

export function checked<Config>(settings: object): Config {
    const { config, problems } = parseConfig(settings, PROJECT);
    expect(problems).toEqual([]);
    return config as Config;
}

/** A cluster that fits in a mesh with those of other ids. */
export function cluster(id: number, over: object = {}): ClusterConfig {
    return checked({ kind: "cluster", name: `c${id}`, id, region: "eu-central-1", vpcCidr: `10.${id}.0.0/16`, ...over });
}

export function mesh(clusters: readonly string[], over: object = {}): MeshConfig {
    return checked({ kind: "mesh", clusters, ...over });
}

/** Stack files as they are read: each cluster in a stack of its name, and a mesh of all of them. */
export function files(clusters: readonly ClusterConfig[], over: object = {}) {
    const names = clusters.map(({ name }) => name);
    return {
        clusters: clusters.map((config) => ({ stack: config.name, config })),
        meshes: [{ stack: "mesh", config: mesh(names, over) }],
        problems: [],
        invalid: [],
    };
}
