/**
 * Runs the mesh in a pipeline, on the library behind the command line. Copy it and change it. State backend, passphrase or key, and AWS credentials come from the
 * environment, as for `pulumi` itself.
 *
 *     node examples/ci/mesh.ts preview [<stack>...]   show what a pull request would change
 *     node examples/ci/mesh.ts up [<stack>...]        deploy the clusters in parallel, then the mesh
 *     node examples/ci/mesh.ts drift [<stack>...]     fail if there is drift: for a nightly run
 *
 * Without stacks: all of the folder. Exit codes: 0 success, 1 failure or drift, 2 wrong usage, 130 the pipeline was cancelled.
 */
import { appendFileSync } from "node:fs";
import { changed, describeChanges } from "../../cli/engine/changes.ts";
import { readDeployed } from "../../cli/engine/deployed.ts";
import { deployMesh, driftOfMesh, previewMesh, type Results, StacksError } from "../../cli/engine/driver.ts";
import { blockedMeshes } from "../../cli/engine/meshes.ts";
import { readProject, stackNames } from "../../cli/project/stack-files.ts";
import { follow } from "../../cli/ui/follow.ts";
import { catchInterrupts } from "../../cli/ui/interrupts.ts";
import { problemList } from "../../core/text/problems.ts";

const MODES = { preview: previewMesh, up: deployMesh, drift: driftOfMesh };

const [mode = "", ...names] = process.argv.slice(2);
const project = readProject(".");
const stacks = stackNames(project, names);
const problems = [
    ...project.problems,
    ...names.filter((name) => ![...stacks.clusters, ...stacks.meshes].includes(name)).map((name) => `stack ${name} does not exist`),
];
if (!isMode(mode)) problems.push(`the first argument must be ${Object.keys(MODES).join(", ")}; got ${JSON.stringify(mode)}`);
if (!isMode(mode) || problems.length > 0) {
    console.error(problemList(problems));
    process.exit(2);
}

const log = (line: string) => console.log(line);
// A cancelled pipeline sends SIGINT or SIGTERM: running operations then end, so that no resource is left half created and no lock remains.
const signal = catchInterrupts(log);
const { onEvent, stop } = follow({ log }, [...stacks.clusters, ...stacks.meshes], new Map());
let code = 0;
try {
    const blocked =
        mode === "preview" ? blockedMeshes(project, await readDeployed(project, { folder: ".", env: {} })) : new Map<string, string[]>();
    for (const [mesh, clusters] of blocked) log(`${mesh} can be previewed once ${clusters.join(", ")} are deployed`);
    const results = await MODES[mode](
        { ...stacks, meshes: stacks.meshes.filter((mesh) => !blocked.has(mesh)) },
        { folder: ".", signal, onEvent },
    );
    summarize(results);
    if (mode === "drift" && [...results.values()].some(changed)) {
        log("there is drift: `clustermesh up --refresh` reverts it, `clustermesh refresh` accepts it into the state");
        code = 1;
    }
} catch (error) {
    if (!(error instanceof StacksError)) throw error;
    summarize(error.results);
    for (const failure of error.errors) console.error(failure instanceof Error ? failure.message : failure);
    if (error.untouched.length > 0) log(`untouched: ${error.untouched.join(", ")}`);
    code = signal.aborted ? 130 : 1;
}
stop();
process.exit(code);

/** Prints a table on the console, and on the page of the run on GitHub. */
function summarize(results: Results): void {
    const rows = [...results].map(([stack, changes]) => `| ${stack} | ${describeChanges(changes) ?? "no changes"} |`);
    const table = [`| stack | ${mode} |`, "|---|---|", ...rows].join("\n");
    log(table);
    if (process.env.GITHUB_STEP_SUMMARY) appendFileSync(process.env.GITHUB_STEP_SUMMARY, `${table}\n`);
}

function isMode(word: string): word is keyof typeof MODES {
    return word in MODES;
}
