import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { automation } from "@pulumi/pulumi";
import { SemVer } from "semver";
import { vi } from "vitest";
import { debugProviders, type Served } from "../../providers/server.ts";
import { ensureTools } from "../../tools/tools.ts";
import { whyNoGo } from "../harness.ts";

// Each operation of the engine takes seconds, and many more while other tests load the machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

/** Folders in which programs of the lab may be: those that it has built, if it can build any, and the PATH. */
const folders = async (): Promise<string[]> => {
    const path = (process.env.PATH ?? "").split(delimiter);
    if (await whyNoGo()) return path;
    const built = await ensureTools(["pulumi", "pulumi-language-nodejs", "helm"], { log: (line) => console.log(line) });
    return [...new Set(Object.values(built).map((file) => dirname(file))), ...path];
};
const FOLDERS = await folders();
// The SDK looks for the engine on its own PATH, not on the one that it is given for the stack.
process.env.PATH = FOLDERS.join(delimiter);

/** Where a program is, if it is anywhere. */
export function program(name: string): string | undefined {
    return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Why tests with the real engine are left out, or false. */
export const noEngine = program("pulumi") ? false : "no pulumi on the PATH, and no Go to build one";

/** A stack of the real engine with a file backend, whose providers are served ones. */
export interface Lab {
    stack: automation.Stack;
    /** Runs another program from now on. */
    run(program: automation.PulumiFn): void;
    refresh(): Promise<automation.RefreshResult>;
    destroy(): Promise<automation.DestroyResult>;
    /** The state's file, as it lies in the backend. */
    state(): string;
    /** Everything that the engine printed, when it was given `onOutput`. */
    printed(): string;
    onOutput(text: string): void;
    close(): Promise<void>;
}

/** An engine that is built without its linker flags tells no version, without which the SDK does nothing. */
async function engine(): Promise<automation.PulumiCommand> {
    const found = await automation.PulumiCommand.get({ skipVersionCheck: true });
    const command = program("pulumi") ?? "pulumi";
    return Object.create(found, { command: { value: command }, version: { value: found.version ?? new SemVer("3.153.1") } });
}

export async function openLab(served: readonly Served[], first: automation.PulumiFn, env: Record<string, string> = {}): Promise<Lab> {
    const home = mkdtempSync(join(tmpdir(), "clustermesh-engine-"));
    const stack = await automation.LocalWorkspace.createStack(
        { stackName: "test", projectName: "clustermesh", program: first },
        {
            workDir: home,
            pulumiCommand: await engine(),
            projectSettings: { name: "clustermesh", runtime: "nodejs", backend: { url: `file://${home}` } },
            envVars: {
                PATH: FOLDERS.join(delimiter),
                HOME: homedir(),
                PULUMI_HOME: home,
                PULUMI_CONFIG_PASSPHRASE: "test",
                PULUMI_SKIP_UPDATE_CHECK: "true",
                PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
                PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
                PULUMI_DEBUG_PROVIDERS: debugProviders(served),
                ...env,
            },
        },
    );
    const printed: string[] = [];
    const onOutput = (text: string) => printed.push(text);
    // The SDK would hand its inline program to a command line that takes none before 3.181.
    const withoutProgram = async <T>(operation: (options: { onOutput(text: string): void }) => Promise<T>): Promise<T> => {
        const { program } = stack.workspace;
        stack.workspace.program = undefined;
        try {
            return await operation({ onOutput });
        } finally {
            stack.workspace.program = program;
        }
    };
    return {
        stack,
        run: (next) => {
            stack.workspace.program = next;
        },
        refresh: () => withoutProgram((options) => stack.refresh(options)),
        destroy: () => withoutProgram((options) => stack.destroy(options)),
        state: () => readFileSync(join(home, ".pulumi", "stacks", "clustermesh", "test.json"), "utf8"),
        printed: () => printed.join(""),
        onOutput,
        close: async () => {
            rmSync(home, { recursive: true, force: true });
        },
    };
}

/** What an operation did, without what stayed the same: { create: 2 }. */
export function changes(summary: Record<string, number | undefined> | undefined): Record<string, number> {
    return Object.fromEntries(Object.entries(summary ?? {}).filter(([op, count]) => op !== "same" && count)) as Record<string, number>;
}

/** The resources in the state, by type and name. */
export async function resources(stack: automation.Stack) {
    const { deployment } = await stack.exportStack();
    const all = (deployment.resources ?? []) as {
        urn: string;
        id?: string;
        inputs?: Record<string, unknown>;
        outputs?: Record<string, unknown>;
    }[];
    return new Map(all.map((resource) => [resource.urn.split("::").slice(2).join(" ").split("$").at(-1) ?? "", resource]));
}
