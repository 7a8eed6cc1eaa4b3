import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseArguments } from "../../../cli/arguments.ts";
import { type Context, UsageError } from "../../../cli/command.ts";
import { add } from "../../../cli/commands/add.ts";
import { init } from "../../../cli/commands/init.ts";
import { plan } from "../../../cli/commands/plan.ts";
import { projectName, readProject } from "../../../cli/project/stack-files.ts";
import { dialogue } from "../../../cli/ui/questions.ts";

let folder: string;
let context: Context;
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "clustermesh-init-"));
    context = { folder, env: {}, signal: new AbortController().signal, log: () => {} };
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = async (command: typeof init, line: string) => {
    const { values, operands } = parseArguments(command, line.split(" ").filter(Boolean));
    return command.run(context, values, operands);
};
const TWO = "--supernet 10.0.0.0/8 --cluster east=us-east-1 --cluster west=us-west-2";
const read = (name: string) => readFileSync(join(folder, name), "utf8");

describe("init", () => {
    test("writes files that plan accepts, and reports what it wrote and what comes next", async () => {
        const { report, text } = await run(init, `${TWO} --network transit-gateway --mesh global --public-cidr 192.0.2.0/24`);
        expect(report.files).toEqual(["Pulumi.east.yaml", "Pulumi.west.yaml", "Pulumi.global.yaml", "Pulumi.yaml"]);
        expect(report.files.toSorted()).toEqual(readdirSync(folder).toSorted());
        expect(report.clusters).toEqual([
            { stack: "east", region: "us-east-1", id: 1, vpcCidr: "10.0.0.0/16" },
            { stack: "west", region: "us-west-2", id: 2, vpcCidr: "10.1.0.0/16" },
        ]);
        expect(report.next.map((command) => command.split(" ").slice(0, 2).join(" "))).toEqual([
            "clustermesh plan",
            "clustermesh preview",
            "clustermesh up",
        ]);
        for (const command of report.next) expect(text).toContain(command);
        expect(init.report.parse(report)).toEqual(report);
        expect(await run(plan as never, "")).toMatchObject({
            code: 0,
            report: { meshes: [{ network: "transit-gateway", members: ["east", "west"] }] },
        });
        expect(readProject(folder).clusters[0]?.config.endpoint.publicCidrs).toEqual(["192.0.2.0/24"]);
    });

    test("names the project after the folder, which completes short stack names", async () => {
        await run(init, TWO);
        expect(projectName(folder)).toBe(`organization/${basename(folder)}`);
        expect(readProject(folder).meshes[0]?.config.clusters).toEqual(
            ["east", "west"].map((stack) => `organization/${basename(folder)}/${stack}`),
        );
        expect(existsSync(join(folder, parse(read("Pulumi.yaml")).main))).toBe(true);
    });

    test("leaves an existing Pulumi.yaml alone", async () => {
        writeFileSync(join(folder, "Pulumi.yaml"), "name: ours\n");
        expect((await run(init, TWO)).report.files).not.toContain("Pulumi.yaml");
        expect(read("Pulumi.yaml")).toBe("name: ours\n");
    });

    test("creates the folder", async () => {
        context.folder = join(folder, "new", "mesh");
        await run(init, TWO);
        expect(readdirSync(context.folder)).toHaveLength(4);
    });

    test("overwrites nothing, and reports every problem at once", async () => {
        await run(init, TWO);
        const before = readdirSync(folder).map(read);
        const error = await run(init, "--supernet 10.0.0.1/8 --cluster east=us-east-1 --cluster north=moon").catch((error) => error);
        expect(error).toBeInstanceOf(UsageError);
        expect(error.problems).toEqual([
            "Pulumi.east.yaml already exists and is never overwritten: choose another name, or remove the file first",
            "Pulumi.mesh.yaml already exists and is never overwritten: choose another name, or remove the file first",
            'supernet must be a canonical IPv4 CIDR (host bits zero), such as 10.0.0.0/8; got "10.0.0.1/8"',
            expect.stringMatching(/^Pulumi\.north\.yaml: region/),
        ]);
        expect(readdirSync(folder).map(read)).toEqual(before);
    });

    test.each([
        ["", "init asks questions on a terminal only: pass --supernet"],
        ["--yes", "init asks questions on a terminal only: pass --supernet"],
        ["--supernet 10.0.0.0/8", "--cluster <stack>=<region>"],
        ["--supernet 10.0.0.0/8 --cluster east=us-east-1", "clusters must list at least two cluster stacks"],
        ["--supernet 10.0.0.0/8 --cluster east", 'a cluster must be given as <stack>=<region>, such as cluster1=eu-central-1; got "east"'],
        [`${TWO} --network vpn`, "--network: unknown value vpn (available: peering, transit-gateway)"],
    ])("without a terminal, %j is a usage error", async (line, message) => {
        const error = await run(init, line).catch((error) => error);
        expect(error).toBeInstanceOf(UsageError);
        expect(error.message).toContain(message);
        expect(readdirSync(folder)).toEqual([]);
    });

    test("runs where there is no Pulumi.yaml, unlike the other commands", async () => {
        const cli = (...args: string[]) =>
            promisify(execFile)(process.execPath, ["cli/clustermesh.mjs", ...args, "--cwd", folder, "--json"]);
        const refused = await cli("plan").catch((error) => error);
        expect(refused).toMatchObject({ code: 2, stdout: expect.stringContaining("no Pulumi.yaml") });
        const { stdout } = await cli("init", ...TWO.split(" "));
        expect(JSON.parse(stdout)).toMatchObject({ version: 1, files: expect.arrayContaining(["Pulumi.yaml"]) });
    });
});

describe("add", () => {
    beforeEach(() => run(init, `${TWO} --public-cidr 192.0.2.0/24`));

    test("writes a file with the next id and CIDR and the others' settings; join comes next", async () => {
        const { report, text } = await run(add, "south --region sa-east-1");
        expect(report.clusters).toEqual([{ stack: "south", region: "sa-east-1", id: 3, vpcCidr: "10.2.0.0/16" }]);
        expect(text).toContain("clustermesh join south");
        expect(read("Pulumi.south.yaml").split("\n")[0]).toMatch(/^# yaml-language-server: \$schema=.*schema\/stack\.schema\.json$/);
        expect(parse(read("Pulumi.south.yaml")).config["clustermesh:stack"]).toEqual({
            kind: "cluster",
            name: "south",
            id: 3,
            region: "sa-east-1",
            vpcCidr: "10.2.0.0/16",
            nat: "single",
            endpoint: { publicCidrs: ["192.0.2.0/24"] },
        });
    });

    test("asks for the mesh in the next command where the folder has several", async () => {
        await run(init, "--supernet 10.128.0.0/9 --cluster a=us-east-1 --cluster b=us-east-1 --mesh other");
        expect((await run(add, "south --region sa-east-1")).report.next[0]).toMatch(/^clustermesh join south --mesh <mesh>/);
    });

    test.each([
        ["--region us-east-1", "clustermesh add takes exactly one argument, <new-stack>; got none"],
        ["a b --region us-east-1", "clustermesh add takes exactly one argument, <new-stack>; got a b"],
        ["south", "--region is required: clustermesh add south --region eu-central-1"],
        ["east --region us-east-1", "Pulumi.east.yaml already exists"],
        ["South_ --region us-east-1", "Pulumi.South_.yaml: name"],
        ["south --region us-east-1 --supernet 10.0.0.0/16", "no /16 is free in 10.0.0.0/16: name a larger --supernet"],
    ])("refuses %j", async (line, message) => {
        const before = readdirSync(folder);
        const error = await run(add, line).catch((error) => error);
        expect(error).toBeInstanceOf(UsageError);
        expect(error.message).toContain(message);
        expect(readdirSync(folder)).toEqual(before);
    });
});

describe("questions", () => {
    const streams = (answers: string, signal = new AbortController().signal) => {
        const [input, output] = [new PassThrough(), new PassThrough()];
        output.setEncoding("utf8");
        input.write(answers);
        return { input, output, signal };
    };
    const name = { text: "Name", fallback: "mesh", problem: (answer: string) => (answer === "x" ? "x is taken" : undefined) };

    test("an empty line means the default; a wrong answer is asked again", async () => {
        const given = streams("\nx\ny\n");
        const answers = await dialogue(given, async (ask) => [await ask(name), await ask(name)]);
        expect(answers).toEqual(["mesh", "y"]);
        expect(given.output.read()).toBe("Name [mesh]: Name [mesh]: x is taken\nName [mesh]: ");
    });

    test("the end of the input is an error, not a wait without end", async () => {
        const given = streams("");
        given.input.end();
        await expect(dialogue(given, (ask) => ask(name))).rejects.toThrow("the input ended before all questions were answered");
    });

    test("an interrupt ends the questions", async () => {
        const interrupted = new AbortController();
        const answer = dialogue(streams("", interrupted.signal), (ask) => ask(name));
        interrupted.abort(new Error("interrupted by SIGINT"));
        await expect(answer).rejects.toThrow("interrupted by SIGINT");
    });
});
