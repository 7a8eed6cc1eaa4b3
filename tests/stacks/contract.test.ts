import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { type ClusterConfig, parseConfig } from "../../core/settings/parse.ts";
import { clusterStack } from "../../stacks/cluster.ts";
import { readClusters } from "../../stacks/read-clusters.ts";
import { deployed, run } from "./harness.ts";

const NAME = "organization/clustermesh/cluster1";

async function clusterProgram(over: object = {}) {
    const { config } = parseConfig(
        { kind: "cluster", name: "cluster1", id: 1, region: "eu-central-1", vpcCidr: "10.248.0.0/18", ...over },
        "organization/clustermesh",
    );
    return run(() => clusterStack(config as ClusterConfig) as unknown as Promise<Record<string, unknown>>, { stack: "cluster1" });
}

/** Reads stacks within a program, through a real StackReference. */
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
    "what a cluster stack returns is what the mesh stack reads (%j)",
    async (over) => {
        const program = await clusterProgram(over);
        const { outputs } = await read([NAME], { [NAME]: deployed(program) });
        const [{ stack, ...cluster }] = outputs.clusters as unknown as [Record<string, unknown>];
        expect(stack).toBe(NAME);
        expect(cluster).toEqual(JSON.parse(JSON.stringify(program.outputs)));
    },
);

test("its secrets arrive as secrets, its facts as plain values", async () => {
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

test("a stack that was never deployed is told in one sentence", async () => {
    expect(await refusal([NAME], { [NAME]: { outputs: {}, secretOutputNames: [] } })).toBe(
        `✖ stack ${NAME} has no outputs: run \`pulumi up -s cluster1\` first`,
    );
});

test("so is one of an older or a newer program", async () => {
    const { outputs, secretOutputNames } = deployed(await clusterProgram()) ?? { outputs: {}, secretOutputNames: [] };
    const { contract: _, ...older } = outputs;
    expect(await refusal([NAME], { [NAME]: { outputs: older, secretOutputNames } })).toMatchInlineSnapshot(
        `"✖ stack organization/clustermesh/cluster1 was deployed by an older version of this program (contract undefined, here 1): run \`pulumi up -s cluster1\` with this one"`,
    );
    expect(await refusal([NAME], { [NAME]: { outputs: { ...outputs, contract: 2 }, secretOutputNames } })).toMatchInlineSnapshot(
        `"✖ stack organization/clustermesh/cluster1 was deployed by a newer version of this program (contract 2, here 1): run \`pulumi up -s cluster1\` with this one"`,
    );
});

test("what is missing or wrong is named, for every stack at once, and no value is shown", async () => {
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
