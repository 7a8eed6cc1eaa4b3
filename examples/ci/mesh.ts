/**
 * What a pipeline does with the mesh, by the library that the command line is made of: copy it and change it. The environment has the state backend, its
 * passphrase or key, and AWS credentials, as for `pulumi` itself.
 *
 *     node examples/ci/mesh.ts preview [<stack>...]   what a pull request would change
 *     node examples/ci/mesh.ts up [<stack>...]        deploys: clusters beside each other, then the mesh
 *     node examples/ci/mesh.ts drift [<stack>...]     ends with 1 if the world is not as the stacks have it: for a nightly run
 *
 * Without stacks: all of the folder. Ends with 0 or 1, with 2 for a wrong call, with 130 when the pipeline was cancelled.
 */
import { appendFileSync } from "node:fs";
import { changed, describeChanges } from "../../cli/engine/changes.ts";
import { meshesThatWait, readDeployed } from "../../cli/engine/deployed.ts";
import { deployMesh, driftOfMesh, previewMesh, type Results, StacksError } from "../../cli/engine/driver.ts";
import { readProject, stackNames } from "../../cli/project/stack-files.ts";
import { follow } from "../../cli/ui/follow.ts";
import { catchInterrupts } from "../../cli/ui/interrupts.ts";
import { problemList } from "../../core/text/problems.ts";

const MODES = { preview: previewMesh, up: deployMesh, drift: driftOfMesh };

const [mode = "", ...names] = process.argv.slice(2);
const plan = readProject(".");
const { problems } = plan;
const stacks = stackNames(plan, names);
const unknown = names.filter((name) => ![...stacks.clusters, ...stacks.meshes].includes(name)).map((name) => `there is no stack ${name}`);
if (!isMode(mode)) problems.push(`the first word is ${Object.keys(MODES).join(", ")}, not ${JSON.stringify(mode)}`);
if (!isMode(mode) || problems.length + unknown.length > 0) {
    console.error(problemList([...problems, ...unknown]));
    process.exit(2);
}

const log = (line: string) => console.log(line);
// A pipeline that is cancelled gets SIGINT or SIGTERM: what is under way ends, so that nothing is left half made, and no lock.
const signal = catchInterrupts(log);
const { onEvent, stop } = follow({ log }, [...stacks.clusters, ...stacks.meshes], new Map());
let code = 0;
try {
    const waiting =
        mode === "preview" ? meshesThatWait(plan, await readDeployed(plan, { folder: ".", env: {} })) : new Map<string, string[]>();
    for (const [mesh, needs] of waiting) log(`${mesh} can be previewed once ${needs.join(", ")} are deployed`);
    const results = await MODES[mode](
        { ...stacks, meshes: stacks.meshes.filter((mesh) => !waiting.has(mesh)) },
        { folder: ".", signal, onEvent },
    );
    summarize(results);
    if (mode === "drift" && [...results.values()].some(changed)) {
        log("the world is not as the stacks have it: `clustermesh up --refresh` puts it back, `clustermesh refresh` takes it over");
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

/** For people: on the console, and on the run's page where the pipeline is one of GitHub's. */
function summarize(results: Results): void {
    const rows = [...results].map(([stack, changes]) => `| ${stack} | ${describeChanges(changes) ?? "nothing"} |`);
    const table = [`| stack | ${mode} |`, "|---|---|", ...rows].join("\n");
    log(table);
    if (process.env.GITHUB_STEP_SUMMARY) appendFileSync(process.env.GITHUB_STEP_SUMMARY, `${table}\n`);
}

function isMode(word: string): word is keyof typeof MODES {
    return word in MODES;
}
