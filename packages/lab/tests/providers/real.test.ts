import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as command from "@pulumi/command";
import { automation } from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { engine } from "../../../../cli/engine/engine.ts";
import { startLab } from "../../lab.ts";
import { realPlugins } from "../../providers/real.ts";
import { changes, noEngine } from "./harness.ts";

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as { dependencies: Record<string, string> };
const version = (name: string) => dependencies[`@pulumi/${name}`] ?? "";

describe("real plugins in place of the lab's stand-ins", () => {
    let home: string;
    let env: { PULUMI_HOME: string; PATH: string };
    beforeEach(() => {
        home = mkdtempSync(join(tmpdir(), "clustermesh-"));
        env = { PULUMI_HOME: home, PATH: "" };
    });
    afterEach(() => {
        vi.unstubAllEnvs();
        rmSync(home, { recursive: true });
    });

    /** Installs a plugin in the layout of `pulumi plugin install`. When it starts, it appends its name to the file `started`. */
    function install(name: string, pluginVersion = version(name)): string {
        const folder = join(home, "plugins", `resource-${name}-v${pluginVersion}`);
        program(folder, name);
        return folder;
    }

    function program(folder: string, name: string): void {
        mkdirSync(folder, { recursive: true });
        const start = `exec '${process.execPath}' '${resolve(import.meta.dirname, "plugin.ts")}' ${name} "$@"`;
        writeFileSync(join(folder, `pulumi-resource-${name}`), `#!/bin/sh\necho ${name} >> '${join(home, "started")}'\n${start}\n`, {
            mode: 0o755,
        });
    }

    test("are all installed plugins of the SDK's version", () => {
        expect(realPlugins(undefined, env)).toEqual([]);
        const tls = install("tls");
        install("command", "0.0.1");
        install("aws");
        expect(realPlugins(undefined, env)).toEqual([{ name: "tls", path: tls }]);
        expect(realPlugins([], env)).toEqual([]);
    });

    test("are taken from the PATH first, as by the engine", () => {
        install("tls");
        program(join(home, "bin"), "tls");
        expect(realPlugins(["tls"], { ...env, PATH: `/nowhere:${join(home, "bin")}` })).toEqual([
            { name: "tls", path: join(home, "bin", "pulumi-resource-tls") },
        ]);
    });

    test("are not taken from an incomplete download", () => {
        writeFileSync(`${install("tls")}.partial`, "");
        expect(realPlugins(undefined, env)).toEqual([]);
    });

    test("must be installed if requested: the error shows the command", () => {
        install("tls", "0.0.1");
        expect(() => realPlugins(["tls"], env)).toThrow(
            `the tls plugin ${version("tls")} is not installed; run: pulumi plugin install resource tls ${version("tls")}`,
        );
    });

    test.each(["aws", "eks", "docker"])("cannot be requested for %s", (name) => {
        expect(() => realPlugins(["tls", name], env)).toThrow(`--real accepts tls, kubernetes, command, not ${name}: the lab has no AWS`);
    });

    test.skipIf(noEngine)("are started by the engine from the lab's own folder", async () => {
        install("tls");
        program(join(home, "bin"), "command");
        vi.stubEnv("PULUMI_HOME", home);
        vi.stubEnv("PATH", `${process.env.PATH}:${join(home, "bin")}`);
        const logged: string[] = [];
        const lab = await startLab({ folder: join(home, "lab"), stacks: {}, simulatedNodes: true, log: (line) => logged.push(line) });
        try {
            expect(logged.filter((line) => line.includes("the real plugin"))).toHaveLength(2);
            expect(lab.env.PULUMI_DEBUG_PROVIDERS).not.toMatch(/tls|command/);
            const stack = await automation.LocalWorkspace.createStack(
                {
                    stackName: "test",
                    projectName: "real",
                    program: async () => {
                        const key = new tls.PrivateKey("key", { algorithm: "ED25519" });
                        const echo = new command.local.Command("echo", { create: "echo made" });
                        return { key: key.publicKeyPem, stdout: echo.stdout };
                    },
                },
                { envVars: lab.env, pulumiCommand: await engine(lab.env) },
            );
            const { outputs } = await stack.up();
            expect(outputs.key?.value).toContain("BEGIN PUBLIC KEY");
            expect(outputs.stdout?.value).toBe("made");
            expect(changes((await stack.preview()).changeSummary)).toEqual({});
            expect(new Set(readFileSync(join(home, "started"), "utf8").trim().split("\n"))).toEqual(new Set(["tls", "command"]));
        } finally {
            await lab.destroy();
        }
        expect(existsSync(join(home, "plugins", `resource-tls-v${version("tls")}`, "pulumi-resource-tls"))).toBe(true);
    });
});
