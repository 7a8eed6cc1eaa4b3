import { existsSync } from "node:fs";
import { join } from "node:path";
import { allocate } from "../../core/scaffold/allocate.ts";
import { type NewMesh, newMesh } from "../../core/scaffold/mesh.ts";
import { columns } from "../../core/text/columns.ts";
import { type Command, type Context, type OptionValues, UsageError } from "../command.ts";
import { existingFiles, projectFile, stackFileTexts, writeNewFiles } from "../project/new-files.ts";
import { clusterTable, commandIn, ScaffoldReport } from "../project/scaffold-report.ts";
import { projectName, readProject } from "../project/stack-files.ts";
import { type Ask, dialogue } from "../ui/questions.ts";

/** What is asked or taken from flags; undefined: not given. */
type Wanted = { [Key in keyof NewMesh]: NewMesh[Key] | undefined };

const EVERYWHERE = "0.0.0.0/0";
const NEXT = [
    { command: "plan", comment: "# show addresses, resources, quotas and cost" },
    { command: "preview", comment: "# show what would be created" },
    { command: "up", comment: "# deploy the clusters, then the mesh" },
];
const NETWORKS = ["peering", "transit-gateway"];

export const init: Command<ScaffoldReport> = {
    name: "init",
    summary: "Write the stack files of a new mesh, with free ids and CIDRs from a supernet",
    details: [
        "On a terminal, asks for everything that no option gives. Otherwise --supernet and at least two",
        "--cluster are required, such as: --supernet 10.0.0.0/8 --cluster a=eu-west-1 --cluster b=us-east-1",
        "Writes Pulumi.yaml if there is none, a file per cluster and the mesh's file. Overwrites no file.",
    ].join("\n"),
    options: {
        supernet: { type: "string", value: "<cidr>", help: "Take all VPCs from this private CIDR, such as 10.0.0.0/8" },
        cluster: {
            type: "string",
            multiple: true,
            value: "<stack>=<region>",
            help: "Create a cluster stack in this region; repeatable",
        },
        mesh: { type: "string", value: "<name>", help: "Name the mesh stack (default: mesh)" },
        network: { type: "string", value: "<kind>", values: NETWORKS, help: "Use peering or transit-gateway (default: peering)" },
        "public-cidr": {
            type: "string",
            multiple: true,
            value: "<cidr>",
            help: `Open the API servers to this CIDR, repeatable (default: ${EVERYWHERE})`,
        },
        yes: { type: "boolean", short: "y", help: "Ask nothing" },
    },
    withoutProject: true,
    report: ScaffoldReport,
    async run(context, options) {
        const { folder } = context;
        const given = wantedBy(options);
        const interactive = process.stdin.isTTY && process.stderr.isTTY && !options.yes && !options.json;
        const streams = { input: process.stdin, output: process.stderr, signal: context.signal };
        if (!interactive) return write(context, prepare(folder, complete(given)));
        return dialogue(streams, async (ask) => {
            const prepared = prepare(folder, await askFor(given, ask));
            context.log(`\n${clusterTable(prepared.scaffold.clusters)}\n`);
            const answer = await ask({
                text: `Write ${[...prepared.texts.keys()].join(", ")}? yes or no`,
                fallback: "yes",
                problem: yesOrNo,
            });
            if (answer.startsWith("n")) throw new UsageError("nothing was written", "stack files");
            return write(context, prepared);
        });
    },
};

/** The files, checked but not written. */
function prepare(folder: string, wanted: NewMesh) {
    const existing = existsSync(folder) ? readProject(folder) : { clusters: [], meshes: [], problems: [], invalid: [] };
    const scaffold = newMesh(wanted, existing, projectName(folder));
    const texts = stackFileTexts(folder, scaffold);
    const problems = [...existingFiles(folder, texts.keys()), ...scaffold.problems];
    if (problems.length > 0) throw new UsageError(problems, "stack files");
    if (!existsSync(join(folder, "Pulumi.yaml"))) texts.set("Pulumi.yaml", projectFile(folder));
    return { scaffold, texts };
}

function write({ folder }: Context, { scaffold: { clusters }, texts }: ReturnType<typeof prepare>) {
    writeNewFiles(folder, texts);
    const next = NEXT.map(({ command }) => commandIn(folder, command));
    const report = { version: 1 as const, files: [...texts.keys()], clusters: [...clusters], next };
    const text = [
        `Wrote ${report.files.join(", ")}.`,
        "",
        clusterTable(clusters),
        "",
        "Next:",
        columns(
            next.map((command, i) => [command, NEXT[i]?.comment ?? ""]),
            "  ",
        ),
    ].join("\n");
    return { code: 0 as const, report, text };
}

/** @throws UsageError for a malformed --cluster */
function wantedBy(options: OptionValues): Wanted {
    const list = (name: string) => options[name] as string[] | undefined;
    const text = (name: string) => options[name] as string | undefined;
    const malformed =
        list("cluster")
            ?.map(clusterProblem)
            .filter((problem) => problem !== undefined) ?? [];
    if (malformed.length > 0) throw new UsageError(malformed);
    return {
        supernet: text("supernet"),
        clusters: list("cluster")?.map(clusterOf),
        mesh: text("mesh"),
        network: text("network"),
        publicCidrs: list("public-cidr"),
    };
}

/** @throws UsageError when something that has no default is missing */
function complete({ supernet, clusters, mesh = "mesh", network = "peering", publicCidrs = [EVERYWHERE] }: Wanted): NewMesh {
    if (supernet === undefined || clusters === undefined)
        throw new UsageError(
            "init asks questions on a terminal only: pass --supernet <cidr> and --cluster <stack>=<region> for each cluster, such as --supernet 10.0.0.0/8 --cluster cluster1=eu-central-1 --cluster cluster2=us-east-1",
        );
    return { supernet, clusters, mesh, network, publicCidrs };
}

async function askFor(given: Wanted, ask: Ask): Promise<NewMesh> {
    const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? "eu-central-1";
    return {
        clusters:
            given.clusters ??
            words(
                await ask({
                    text: "Clusters, as <stack>=<region>, separated by spaces",
                    fallback: `cluster1=${region} cluster2=${region}`,
                    problem: (answer) =>
                        words(answer)
                            .map(clusterProblem)
                            .find((problem) => problem !== undefined) ??
                        (words(answer).length < 2 ? "a mesh needs at least two clusters" : undefined),
                }),
            ).map(clusterOf),
        supernet:
            given.supernet ??
            (await ask({
                text: "Private CIDR that all VPCs are taken from",
                fallback: "10.0.0.0/8",
                problem: (answer) => allocate(answer, 2).problems[0],
            })),
        mesh: given.mesh ?? (await ask({ text: "Name of the mesh stack", fallback: "mesh" })),
        network:
            given.network ?? (await ask({ text: "Network: peering or transit-gateway", fallback: "peering", problem: networkProblem })),
        publicCidrs:
            given.publicCidrs ??
            words(await ask({ text: "Source CIDRs that may reach the API servers, separated by spaces", fallback: EVERYWHERE })),
    };
}

function words(text: string): string[] {
    return text.split(/[\s,]+/).filter((word) => word !== "");
}

function clusterOf(text: string): { stack: string; region: string } {
    const [stack = "", region = ""] = text.split("=");
    return { stack, region };
}

function clusterProblem(text: string): string | undefined {
    return /^[^=]+=[^=]+$/.test(text)
        ? undefined
        : `a cluster must be given as <stack>=<region>, such as cluster1=eu-central-1; got ${JSON.stringify(text)}`;
}

function networkProblem(text: string): string | undefined {
    return NETWORKS.includes(text) ? undefined : `network must be ${NETWORKS.join(" or ")}; got ${JSON.stringify(text)}`;
}

function yesOrNo(answer: string): string | undefined {
    return /^(y|yes|n|no)$/i.test(answer) ? undefined : "answer yes or no";
}
