import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { diffInputs } from "./diff.ts";
import type { EngineLink, Package, ResourceRequest, ResourceType } from "./provider.ts";
import { hasSecrets, type Properties, Secret, UNKNOWN } from "./values.ts";

/** A longer tail tells nobody more, and an error has to fit into the engine's protocol. */
const LONGEST_OUTPUT = 32 * 1024;

export interface CommandOptions {
    /** Where commands run that name no `dir`: the project's folder. */
    directory: string;
    /** What a command's own environment is added to. */
    environment?: NodeJS.ProcessEnv;
}

/**
 * A lab's stand-in for @pulumi/command 1.2: `command.local.Command`, running real commands. Left out: assets, archives, `local.run` and remote commands. Where
 * the real one kills the shell alone when time is up, this one kills what the shell has started too.
 */
export function commandPackage(options: CommandOptions): Package {
    return {
        name: "command",
        version: "1.2.1",
        open: (engine) => {
            const command = localCommand(engine, options);
            return { resource: (type) => (type === "command:local:Command" ? command : undefined) };
        },
    };
}

function localCommand(engine: EngineLink, options: CommandOptions): ResourceType {
    const runFor = (
        request: ResourceRequest & { timeoutSeconds: number | undefined },
        command: string,
        inputs: Properties,
        before: Properties,
    ) =>
        run({ command, inputs, before, ...options }, AbortSignal.any([request.signal, limit(request.timeoutSeconds)]), (line) =>
            engine.log("info", line, { urn: request.urn, status: true }),
        );
    return {
        diff: ({ oldInputs, news, ignoreChanges }) => diffInputs(oldInputs, news, { only: ["triggers"] }, ignoreChanges),
        create: async (request) => {
            const { inputs, preview, name } = request;
            if (preview) return { id: "", outputs: { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN } };
            const outputs =
                typeof inputs.create === "string" ? await runFor(request, inputs.create, inputs, {}) : { stdout: "", stderr: "" };
            return { id: `${name}${randomBytes(4).toString("hex")}`, outputs: { ...inputs, ...kept(outputs, request.marked) } };
        },
        update: async (request) => {
            const { inputs, olds, preview } = request;
            if (preview) return { outputs: { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN } };
            const command = inputs.update ?? inputs.create;
            const before = { stdout: olds.stdout ?? "", stderr: olds.stderr ?? "" };
            const outputs = typeof command === "string" ? await runFor(request, command, inputs, before) : before;
            return { outputs: { ...inputs, ...kept(outputs, request.marked) } };
        },
        delete: async (request) => {
            if (typeof request.olds.delete === "string") await runFor(request, request.olds.delete, request.olds, request.olds);
        },
    };
}

/** What a command prints may hold any of its inputs, so one secret input makes it secret. */
function kept(outputs: Properties, marked: Properties): Properties {
    if (!hasSecrets(marked)) return outputs;
    return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, new Secret(value ?? "")]));
}

function limit(seconds: number | undefined): AbortSignal {
    return seconds === undefined ? new AbortController().signal : AbortSignal.timeout(seconds * 1000);
}

interface Run extends CommandOptions {
    command: string;
    inputs: Properties;
    /** Outputs of the run before this one. */
    before: Properties;
}

async function run(
    { command, inputs, before, directory, environment = process.env }: Run,
    signal: AbortSignal,
    log: (line: string) => Promise<void>,
): Promise<{ stdout: string; stderr: string }> {
    const [program = "/bin/sh", ...leading] = interpreter(inputs);
    const previous = inputs.addPreviousOutputInEnv === false ? {} : before;
    signal.throwIfAborted();
    const child = spawn(program, [...leading, command], {
        cwd: resolve(directory, typeof inputs.dir === "string" ? inputs.dir : "."),
        env: {
            ...environment,
            ...(inputs.environment as Record<string, string> | undefined),
            ...(previous.stdout ? { PULUMI_COMMAND_STDOUT: String(previous.stdout) } : {}),
            ...(previous.stderr ? { PULUMI_COMMAND_STDERR: String(previous.stderr) } : {}),
        },
        // A group of its own, so that it can be ended with all that it has started.
        detached: true,
        stdio: ["pipe", "pipe", "pipe"],
    });
    const kill = () => {
        try {
            if (child.pid) process.kill(-child.pid, "SIGKILL");
        } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
        }
    };
    signal.addEventListener("abort", kill, { once: true });
    // A command that does not read its input must not end the lab.
    child.stdin.on("error", () => {});
    child.stdin.end(typeof inputs.stdin === "string" ? inputs.stdin : "");

    const both: Buffer[] = [];
    const logged = lines(log);
    const collect = (stream: NodeJS.ReadableStream, logs: boolean): Buffer[] => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => {
            chunks.push(chunk);
            both.push(chunk);
            if (logs) logged.write(chunk);
        });
        return chunks;
    };
    const logging = inputs.logging ?? "stdoutAndStderr";
    const stdout = collect(child.stdout, logging === "stdout" || logging === "stdoutAndStderr");
    const stderr = collect(child.stderr, logging === "stderr" || logging === "stdoutAndStderr");
    const problem = await new Promise<string | undefined>((settle) => {
        child.on("error", (error) => settle(error.message));
        child.on("close", (code, killedBy) => settle(exit(code, killedBy)));
    });
    signal.removeEventListener("abort", kill);
    await logged.end();
    if (problem) throw new Error(`${problem}: running ${JSON.stringify(command)}:\n${text(both).slice(-LONGEST_OUTPUT)}`);
    return { stdout: text(stdout).replace(/\n$/, ""), stderr: text(stderr).replace(/\n$/, "") };
}

function interpreter({ interpreter: given }: Properties): string[] {
    return Array.isArray(given) && given.length > 0 ? given.map(String) : ["/bin/sh", "-c"];
}

/** As Go words it. */
function exit(code: number | null, killedBy: NodeJS.Signals | null): string | undefined {
    if (killedBy) return `signal: ${killedBy === "SIGKILL" ? "killed" : killedBy === "SIGTERM" ? "terminated" : killedBy}`;
    return code === 0 ? undefined : `exit status ${code}`;
}

function text(chunks: readonly Buffer[]): string {
    return Buffer.concat(chunks).toString("utf8");
}

/** Logs whole lines, one after the other, as they come. */
function lines(log: (line: string) => Promise<void>) {
    const decoder = new StringDecoder("utf8");
    let rest = "";
    let last = Promise.resolve();
    const send = (line: string) => {
        last = last.then(() => log(line));
    };
    return {
        write: (chunk: Buffer) => {
            const parts = (rest + decoder.write(chunk)).split("\n");
            rest = parts.pop() ?? "";
            for (const line of parts) send(line);
        },
        end: async () => {
            rest += decoder.end();
            if (rest) send(rest);
            await last;
        },
    };
}
