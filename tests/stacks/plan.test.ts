import { expect, test } from "vitest";
import { type PlannedFacts, plannedFacts } from "../../core/facts/planned.ts";
import { clusterResources, meshResources, type Resources } from "../../core/plan/resources.ts";
import { type ClusterConfig, type MeshConfig, parseConfig } from "../../core/settings/parse.ts";
import { fullStackName } from "../../core/stack-names.ts";
import { clusterStack } from "../../stacks/cluster.ts";
import { meshStack } from "../../stacks/mesh.ts";
import { deployed, type Program, type Registered, run, type Stacks } from "./harness.ts";

const PROJECT = "organization/clustermesh";
const ROLE = "arn:aws:iam::222222222222:role/mesh";

function validConfig<Config>(settings: object): Config {
    const { config, problems } = parseConfig(settings, PROJECT);
    expect(problems).toEqual([]);
    return config as Config;
}

function cluster(id: number, settings: object = {}): ClusterConfig {
    return validConfig({ kind: "cluster", name: `c${id}`, id, region: "eu-central-1", vpcCidr: `10.${id}.0.0/16`, ...settings });
}

const deploy = (config: ClusterConfig) => run(() => clusterStack(config), { stack: config.name }) as Promise<Program<object>>;

function count(resources: readonly Registered[]): Resources {
    return Object.fromEntries([...Map.groupBy(resources, ({ type }) => type)].map(([type, all]) => [type, all.length]));
}

test.each<[string, object]>([
    ["the defaults", {}],
    ["one NAT gateway, two zones", { nat: "single", zones: 2 }],
    ["public nodes, no NAT gateway", { nat: "none", nodeGroup: { subnets: "public" } }],
    ["named zones", { zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d"] }],
    ["its own key and a role", { kmsKeyArn: "arn:aws:kms:eu-central-1:222222222222:key/k", assumeRole: ROLE, admins: [ROLE] }],
    ["KVStoreMesh", { cilium: { kvstoreMesh: true } }],
])("a cluster with %s has the planned resources and publishes the planned facts", async (_, settings) => {
    const config = cluster(1, settings);
    const program = await deploy(config);
    expect(clusterResources(config)).toEqual(count(program.resources));

    const facts = plannedFacts(config, "organization/clustermesh/c1");
    const published = program.outputs as PlannedFacts;
    for (const key of Object.keys(facts) as (keyof PlannedFacts)[]) {
        if (key === "stack") continue;
        if (key === "routeTableIds" || key === "nodeSecurityGroupIds") expect(facts[key]).toHaveLength(published[key].length);
        else if (key === "etcd") expect(facts.etcd).toMatchObject({ addresses: published.etcd.addresses, port: published.etcd.port });
        else expect(facts[key], key).toEqual(published[key]);
    }
});

const REGIONS = ["eu-central-1", "eu-west-1", "us-east-1"];
const inAnyRegion = (id: number) => ({ region: REGIONS[id % 3] });

test.each<[string, number, (id: number) => object, object]>([
    ["two, peered", 2, () => ({}), {}],
    [
        "three, peered, with ports and KVStoreMesh in one",
        3,
        (id) => ({ cilium: { kvstoreMesh: id === 2 } }),
        { ingress: ["tcp/443", "icmp"] },
    ],
    ["five in three regions, peered", 5, (id) => ({ ...inAnyRegion(id), zones: id % 2 === 0 ? 2 : 3 }), {}],
    ["two in two accounts, peered", 2, (id) => (id === 2 ? { assumeRole: ROLE } : {}), {}],
    ["two on a Transit Gateway", 2, () => ({}), { network: "transit-gateway" }],
    [
        "three on a Transit Gateway, one in another account",
        3,
        (id) => (id === 3 ? { assumeRole: ROLE } : {}),
        { network: "transit-gateway" },
    ],
    [
        "five on Transit Gateways in three regions, two in another account",
        5,
        (id) => ({ ...inAnyRegion(id), ...(id > 3 && { assumeRole: ROLE }) }),
        { network: "transit-gateway", ingress: ["udp/53"] },
    ],
])("a mesh of %s has the planned resources", async (_, size, settingsOf, settings) => {
    const configs = Array.from({ length: size }, (_, i) => cluster(i + 1, settingsOf(i + 1)));
    const mesh = validConfig<MeshConfig>({ kind: "mesh", clusters: configs.map(({ name }) => name), ...settings });
    const stacks: Stacks = {};
    for (const config of configs) {
        const stack = deployed(await deploy(config));
        // The mocks return the same account to every cluster stack.
        if (config.assumeRole) Object.assign(stack.outputs, { accountId: "222222222222" });
        stacks[fullStackName(config.name, PROJECT)] = stack;
    }
    const program = await run(() => meshStack(mesh), { stack: "mesh", stacks });

    const facts = configs.map((config) => plannedFacts(config, fullStackName(config.name, PROJECT)));
    expect(meshResources(facts, mesh)).toEqual(count(program.resources));
});
