import { expect } from "vitest";
import { type ClusterConfig, type MeshConfig, parseConfig } from "../../../core/settings/parse.ts";

export const PROJECT = "organization/clustermesh";

function validConfig<Config>(settings: object): Config {
    const { config, problems } = parseConfig(settings, PROJECT);
    expect(problems).toEqual([]);
    return config as Config;
}

/** A cluster that fits into a mesh with clusters of other ids. */
export function cluster(id: number, settings: object = {}): ClusterConfig {
    return validConfig({ kind: "cluster", name: `c${id}`, id, region: "eu-central-1", vpcCidr: `10.${id}.0.0/16`, ...settings });
}

export function mesh(clusters: readonly string[], settings: object = {}): MeshConfig {
    return validConfig({ kind: "mesh", clusters, ...settings });
}

/** The stack files of a folder: a stack per cluster, named after it, and a mesh of all clusters. */
export function files(clusters: readonly ClusterConfig[], settings: object = {}) {
    const names = clusters.map(({ name }) => name);
    return {
        clusters: clusters.map((config) => ({ stack: config.name, config })),
        meshes: [{ stack: "mesh", config: mesh(names, settings) }],
        problems: [],
        invalid: [],
    };
}
