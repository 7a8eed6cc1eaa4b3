import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readProject } from "../../cli/project/stack-files.ts";
import { BUILD_TIMEOUT, temporaryFolder, whyNoTools } from "../../packages/lab/tests/harness.ts";
import { ensureTools } from "../../packages/lab/tools/tools.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
/** Not part of a clone. */
const UNTRACKED = ["node_modules", ".git"].map((name) => join(REPOSITORY, name));
const NAME = "acme-mesh";
const DESCRIPTION = "The mesh of Acme";

describe.skipIf(await whyNoTools())("pulumi new", () => {
    let source: string;
    let project: string;
    let output: string;

    beforeAll(async () => {
        const folder = await temporaryFolder();
        [source, project] = [join(folder, "source"), join(folder, "project")];
        cpSync(REPOSITORY, source, { recursive: true, filter: (file) => !UNTRACKED.includes(file) });
        for (const name of ["home", "state", "project"]) mkdirSync(join(folder, name));
        const { pulumi, ...others } = await ensureTools(["pulumi", "pulumi-language-nodejs"]);
        const env = {
            ...process.env,
            PATH: [...Object.values(others).map((file) => dirname(file)), process.env.PATH].join(delimiter),
            PULUMI_HOME: join(folder, "home"),
            PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
            PULUMI_CONFIG_PASSPHRASE: "passphrase",
            PULUMI_SKIP_UPDATE_CHECK: "true",
        };
        const args = ["new", source, "--generate-only", "--yes", "--name", NAME, "--description", DESCRIPTION, "--dir", project];
        ({ stdout: output } = await promisify(execFile)(pulumi, args, { cwd: folder, env }));
    }, BUILD_TIMEOUT);

    const yaml = (folder: string) => parse(readFileSync(join(folder, "Pulumi.yaml"), "utf8"));

    test("names the project and omits the template section", () => {
        const { template, name: _, description: __, ...rest } = yaml(source);
        const created = yaml(project);
        expect(created).toMatchObject({ name: NAME, description: DESCRIPTION, ...rest });
        expect(created).not.toHaveProperty("template");
        for (const line of template.quickstart.trim().split("\n")) expect(output).toContain(line.trim());
    });

    test("copies every other file unchanged", () => {
        const filesIn = (folder: string) =>
            readdirSync(folder, { recursive: true, withFileTypes: true })
                .filter((entry) => entry.isFile())
                .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
        const files = filesIn(source);
        expect(filesIn(project).toSorted()).toEqual(files.toSorted());
        // `pulumi new` replaces its placeholders, a dollar sign with {PROJECT} or {DESCRIPTION}, in every file.
        const changed = files.filter((file) => !readFileSync(join(source, file)).equals(readFileSync(join(project, file))));
        expect(changed).toEqual(["Pulumi.yaml"]);
    });

    test("creates a project that passes `plan` and qualifies stack names with its own name", async () => {
        symlinkSync(join(REPOSITORY, "node_modules"), join(project, "node_modules"));
        const { stdout } = await promisify(execFile)(process.execPath, ["cli/clustermesh.mjs", "plan", "--json"], { cwd: project });
        expect(JSON.parse(stdout)).toMatchObject({ meshes: [{ stack: "mesh", members: ["cluster1", "cluster2"], notHere: [] }] });
        expect(readProject(project).meshes[0]?.config.clusters).toEqual([`organization/${NAME}/cluster1`, `organization/${NAME}/cluster2`]);
    });
});
