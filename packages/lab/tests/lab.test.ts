import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../cli/engine/engine.ts";
import { withExecEnvironment } from "../cluster/credentials.ts";
import { type Lab, startLab } from "../lab.ts";
import { inLab } from "../run.ts";
import { BUILD_TIMEOUT, tools, whyNoTools } from "./harness.ts";

describe.skipIf(await whyNoTools())("the lab", { timeout: 120_000 }, () => {
    let temporary: string;
    beforeAll(async () => {
        await tools();
        temporary = mkdtempSync(join(tmpdir(), "clustermesh-"));
    }, BUILD_TIMEOUT);
    afterAll(() => rmSync(temporary, { recursive: true, force: true }));

    const start = (name: string): Promise<Lab> =>
        startLab({ folder: join(temporary, name), stacks: {}, simulatedNodes: true, log: () => {} });

    /** Asks the lab's `aws` for the token of a cluster, as a client of a kubeconfig does in this process. */
    async function token(env: Record<string, string>): Promise<string | undefined> {
        const exec = { apiVersion: "client.authentication.k8s.io/v1beta1", command: "aws", args: ["eks", "get-token"] };
        exec.args.push("--cluster-name", "one", "--region", "eu-west-1");
        const config = new KubeConfig();
        const named = { name: "one" };
        const users = [{ ...named, user: { exec } }];
        const clusters = [{ ...named, cluster: { server: "https://127.0.0.1:1" } }];
        const contexts = [{ ...named, context: { cluster: "one", user: "one" } }];
        config.loadFromString(withExecEnvironment(JSON.stringify({ users, clusters, contexts, "current-context": "one" }), env));
        const options: RequestOptions = {};
        await config.applyToHTTPSOptions(options);
        return (options.headers as Record<string, string> | undefined)?.Authorization;
    }

    test("two labs run at once, and process.env stays as it is", async () => {
        const before = { ...process.env };
        const labs = await Promise.all([start("a"), start("b")]);
        try {
            expect({ ...process.env }).toEqual(before);
            for (const { env, project } of labs) {
                const tokens = env.CLUSTERMESH_LAB_TOKENS ?? "";
                expect(JSON.parse(readFileSync(tokens, "utf8"))).toEqual({});
                writeFileSync(tokens, JSON.stringify({ "eu-west-1/one": `token of ${project}` }));
                expect(await token(env)).toBe(`Bearer token of ${project}`);
                const { stdout } = await promisify(execFile)("aws", ["sts", "get-caller-identity", "--region", "eu-west-1"], {
                    env: { ...process.env, ...env },
                });
                expect(JSON.parse(stdout)).toMatchObject({ Account: "111111111111" });
                expect((await engine(env)).version?.major).toBe(3);
            }
        } finally {
            await Promise.all(labs.map((lab) => lab.destroy()));
        }
        expect({ ...process.env }).toEqual(before);
    });

    test("a start that fails ends what it started and leaves process.env as it was", async () => {
        const children = () => readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
        const before = { children: children(), env: { ...process.env } };
        // The lab writes this file last.
        mkdirSync(join(temporary, "failing/env"), { recursive: true });
        await expect(start("failing")).rejects.toThrow("EISDIR");
        expect({ children: children(), env: { ...process.env } }).toEqual(before);
    });

    test("a run that fails leaves process.env as it was, TMPDIR included", async () => {
        const before = { ...process.env };
        const temporaryFolders: (string | undefined)[] = [];
        const change = () => {
            temporaryFolders.push(process.env.TMPDIR);
            throw new Error("refused");
        };
        expect(await inLab({ log: () => {}, change }, async () => {})).toBe(1);
        expect(temporaryFolders).toEqual([expect.stringMatching(/clustermesh-lab-\d+-\w+\/tmp$/)]);
        expect({ ...process.env }).toEqual(before);
    });
});
