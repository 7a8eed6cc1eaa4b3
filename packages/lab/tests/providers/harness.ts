import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { automation } from "@pulumi/pulumi";
import { SemVer } from "semver";
import { vi } from "vitest";
import { debugProviders, type Served } from "../../providers/server.ts";
import { ensureTools } from "../../tools/tools.ts";
import { whyNoGo } from "../harness.ts";

// Each engine operation takes seconds, and much longer while other tests run.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

/** Folders to search for programs: those of the lab's own builds, if this machine can build, and the PATH. */
const programFolders = async (): Promise<string[]> => {
    const path = (process.env.PATH ?? "").split(delimiter);
    if (await whyNoGo()) return path;
    const built = await ensureTools(["pulumi", "pulumi-language-nodejs", "helm"], { log: (line) => console.log(line) });
    return [...new Set(Object.values(built).map((file) => dirname(file))), ...path];
};
const FOLDERS = await programFolders();
// The SDK looks for the engine on this process's PATH, not on the stack's.
process.env.PATH = FOLDERS.join(delimiter);

/** The path of a program; undefined if it is not found. */
export function program(name: string): string | undefined {
    return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Why to skip tests that need the real engine; false to run them. */
export const noEngine = program("pulumi") ? false : "pulumi is not on the PATH, and Go is missing to build it";

/** A stack with the real engine, a file backend and served providers. */
export interface Lab {
    stack: automation.Stack;
    /** Sets the program of the next operations. */
    run(program: automation.PulumiFn): void;
    refresh(): Promise<automation.RefreshResult>;
    destroy(): Promise<automation.DestroyResult>;
    /** Text of the state file. */
    state(): string;
    /** Engine output of all operations that got `onOutput`. */
    printed(): string;
    onOutput(text: string): void;
    close(): Promise<void>;
}

/** The engine, with a version. An engine built without linker flags reports none, and the SDK refuses to run it. */
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
    // For these operations the SDK would pass its inline program to the CLI, which supports that only from 3.181 on.
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

/** Number of changes by operation, such as `{ create: 2 }`, without `same`. */
export function changes(summary: Record<string, number | undefined> | undefined): Record<string, number> {
    return Object.fromEntries(Object.entries(summary ?? {}).filter(([op, count]) => op !== "same" && count)) as Record<string, number>;
}

/** The resources in the state, keyed by `type name`. */
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
