import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { type ClusterConfig, parseConfig } from "../../core/settings/parse.ts";
import { clusterStack } from "../../stacks/cluster.ts";
import { readClusters } from "../../stacks/read-clusters.ts";
import { deployed, run } from "./harness.ts";

const NAME = "organization/clustermesh/cluster1";

async function clusterProgram(settings: object = {}) {
    const { config } = parseConfig(
        { kind: "cluster", name: "cluster1", id: 1, region: "eu-central-1", vpcCidr: "10.248.0.0/18", ...settings },
        "organization/clustermesh",
    );
    return run(() => clusterStack(config as ClusterConfig) as unknown as Promise<Record<string, unknown>>, { stack: "cluster1" });
}

/** Reads stacks in a program through real StackReferences. */
function read(names: string[], stacks: Record<string, ReturnType<typeof deployed>>) {
    return run(async () => ({ clusters: await readClusters(names) }), {
        stack: "mesh",
        stacks: stacks as Record<string, NonNullable<ReturnType<typeof deployed>>>,
    });
}

const refusal = async (names: string[], stacks: Record<string, ReturnType<typeof deployed>>) => {
    const error = await read(names, stacks).then(
        () => undefined,
        (error) => error,
    );
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    return error.message;
};

test.each([{}, { assumeRole: "arn:aws:iam::222222222222:role/deploy", cilium: { kvstoreMesh: true } }])(
    "the mesh stack reads all outputs of a cluster stack (%j)",
    async (settings) => {
        const program = await clusterProgram(settings);
        const { outputs } = await read([NAME], { [NAME]: deployed(program) });
        const [{ stack, ...cluster }] = outputs.clusters as unknown as [Record<string, unknown>];
        expect(stack).toBe(NAME);
        expect(cluster).toEqual(JSON.parse(JSON.stringify(program.outputs)));
    },
);

test("secrets are read as secrets, facts as plain values", async () => {
    const program = await clusterProgram();
    const secret: Record<string, boolean> = {};
    await run(
        async () => {
            const [cluster] = await readClusters([NAME]);
            for (const [key, value] of Object.entries(cluster ?? {}))
                secret[key] = pulumi.Output.isInstance(value) && (await pulumi.isSecret(value));
            return {};
        },
        { stack: "mesh", stacks: { [NAME]: deployed(program) as NonNullable<ReturnType<typeof deployed>> } },
    );
    expect(Object.keys(secret).filter((key) => secret[key])).toEqual(["kubeconfig", "etcdClient"]);
});

test("reports a stack that was never deployed", async () => {
    expect(await refusal([NAME], { [NAME]: { outputs: {}, secretOutputNames: [] } })).toBe(
        `✖ stack ${NAME} has no outputs: run \`pulumi up -s cluster1\` first`,
    );
});

test("reports a stack of an older or newer program", async () => {
    const { outputs, secretOutputNames } = deployed(await clusterProgram()) ?? { outputs: {}, secretOutputNames: [] };
    const { contract: _, ...older } = outputs;
    expect(await refusal([NAME], { [NAME]: { outputs: older, secretOutputNames } })).toMatchInlineSnapshot(
        `"✖ stack organization/clustermesh/cluster1 was deployed by an older version of this program (contract undefined, here 1): run \`pulumi up -s cluster1\` with this one"`,
    );
    expect(await refusal([NAME], { [NAME]: { outputs: { ...outputs, contract: 2 }, secretOutputNames } })).toMatchInlineSnapshot(
        `"✖ stack organization/clustermesh/cluster1 was deployed by a newer version of this program (contract 2, here 1): run \`pulumi up -s cluster1\` with this one"`,
    );
});

test("reports missing and invalid outputs of all stacks at once, without their values", async () => {
    const { outputs, secretOutputNames } = deployed(await clusterProgram()) ?? { outputs: {}, secretOutputNames: [] };
    const broken = { ...outputs, id: "one", etcdClient: { ca: "PEM", cert: "PEM" } };
    const other = "organization/clustermesh/cluster2";
    expect(
        await refusal([NAME, other], { [NAME]: { outputs: broken, secretOutputNames }, [other]: { outputs: {}, secretOutputNames: [] } }),
    ).toMatchInlineSnapshot(`
      "✖ stack organization/clustermesh/cluster1 does not publish what the mesh needs (id: Invalid input: expected number, received string; etcdClient.key: Invalid input: expected string, received undefined): run \`pulumi up -s cluster1\` with this version of the program
      ✖ stack organization/clustermesh/cluster2 has no outputs: run \`pulumi up -s cluster2\` first"
    `);
});
