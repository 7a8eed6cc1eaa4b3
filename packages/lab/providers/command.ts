import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { diffInputs } from "./diff.ts";
import type { EngineLink, Package, ResourceRequest, ResourceType } from "./provider.ts";
import { hasSecrets, type Properties, Secret, UNKNOWN } from "./values.ts";

/** How many of the last characters of output an error shows: the message must fit into the engine's protocol. */
const MAX_ERROR_OUTPUT = 32 * 1024;

interface CommandOptions {
    /** Working directory of commands without `dir`: the project's folder. */
    directory: string;
    /** Base environment, extended by a command's own. Default: this process's environment. */
    environment?: NodeJS.ProcessEnv;
}

/**
 * The lab's stand-in for @pulumi/command 1.2: `command.local.Command`, running real commands. Not supported: assets, archives, `local.run` and remote commands.
 * On a timeout the real provider kills only the shell; this one also kills the processes that the shell has started.
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
        previous: Properties,
    ) =>
        run({ command, inputs, previous, ...options }, AbortSignal.any([request.signal, timeoutSignal(request.timeoutSeconds)]), (line) =>
            engine.log("info", line, { urn: request.urn, status: true }),
        );
    return {
        diff: ({ oldInputs, news, ignoreChanges }) => diffInputs(oldInputs, news, { only: ["triggers"] }, ignoreChanges),
        create: async (request) => {
            const { inputs, preview, name } = request;
            if (preview) return { id: "", outputs: { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN } };
            const outputs =
                typeof inputs.create === "string" ? await runFor(request, inputs.create, inputs, {}) : { stdout: "", stderr: "" };
            return { id: `${name}${randomBytes(4).toString("hex")}`, outputs: { ...inputs, ...markOutputs(outputs, request.marked) } };
        },
        update: async (request) => {
            const { inputs, olds, preview } = request;
            if (preview) return { outputs: { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN } };
            const command = inputs.update ?? inputs.create;
            const previous = { stdout: olds.stdout ?? "", stderr: olds.stderr ?? "" };
            const outputs = typeof command === "string" ? await runFor(request, command, inputs, previous) : previous;
            return { outputs: { ...inputs, ...markOutputs(outputs, request.marked) } };
        },
        delete: async (request) => {
            if (typeof request.olds.delete === "string") await runFor(request, request.olds.delete, request.olds, request.olds);
        },
    };
}

/** The output of a command may contain any of its inputs, so one secret input makes it secret. */
function markOutputs(outputs: Properties, marked: Properties): Properties {
    if (!hasSecrets(marked)) return outputs;
    return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, new Secret(value ?? "")]));
}

function timeoutSignal(seconds: number | undefined): AbortSignal {
    return seconds === undefined ? new AbortController().signal : AbortSignal.timeout(seconds * 1000);
}

interface Run extends CommandOptions {
    command: string;
    inputs: Properties;
    /** Outputs of the previous run. */
    previous: Properties;
}

async function run(
    { command, inputs, previous, directory, environment = process.env }: Run,
    signal: AbortSignal,
    log: (line: string) => Promise<void>,
): Promise<{ stdout: string; stderr: string }> {
    const [program = "/bin/sh", ...leading] = interpreter(inputs);
    signal.throwIfAborted();
    const child = spawn(program, [...leading, command], {
        cwd: resolve(directory, typeof inputs.dir === "string" ? inputs.dir : "."),
        env: {
            ...environment,
            ...(inputs.environment as Record<string, string> | undefined),
            ...(inputs.addPreviousOutputInEnv === false ? {} : previousOutput(previous)),
        },
        // In its own process group, so that killing the group also ends the command's children.
        detached: true,
        stdio: ["pipe", "pipe", "pipe"],
    });
    const kill = () => killGroup(child.pid);
    signal.addEventListener("abort", kill, { once: true });
    // Without a listener, a command that does not read its input would end the lab with EPIPE.
    child.stdin.on("error", () => {});
    child.stdin.end(typeof inputs.stdin === "string" ? inputs.stdin : "");

    const combined: Buffer[] = [];
    const lines = lineLogger(log);
    const collect = (stream: NodeJS.ReadableStream, logs: boolean): Buffer[] => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => {
            chunks.push(chunk);
            combined.push(chunk);
            if (logs) lines.write(chunk);
        });
        return chunks;
    };
    const logging = inputs.logging ?? "stdoutAndStderr";
    const stdout = collect(child.stdout, logging === "stdout" || logging === "stdoutAndStderr");
    const stderr = collect(child.stderr, logging === "stderr" || logging === "stdoutAndStderr");
    const problem = await new Promise<string | undefined>((resolveProblem) => {
        child.on("error", (error) => resolveProblem(error.message));
        child.on("close", (code, killedBy) => resolveProblem(exitProblem(code, killedBy)));
    });
    signal.removeEventListener("abort", kill);
    await lines.end();
    if (problem) throw new Error(`${problem}: running ${JSON.stringify(command)}:\n${text(combined).slice(-MAX_ERROR_OUTPUT)}`);
    return { stdout: text(stdout).replace(/\n$/, ""), stderr: text(stderr).replace(/\n$/, "") };
}

function previousOutput({ stdout, stderr }: Properties): NodeJS.ProcessEnv {
    return {
        ...(stdout ? { PULUMI_COMMAND_STDOUT: String(stdout) } : {}),
        ...(stderr ? { PULUMI_COMMAND_STDERR: String(stderr) } : {}),
    };
}

function killGroup(pid: number | undefined): void {
    try {
        if (pid) process.kill(-pid, "SIGKILL");
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
}

function interpreter({ interpreter: configured }: Properties): string[] {
    return Array.isArray(configured) && configured.length > 0 ? configured.map(String) : ["/bin/sh", "-c"];
}

/** Why the process did not succeed, in Go's words; undefined if it did. */
function exitProblem(code: number | null, killedBy: NodeJS.Signals | null): string | undefined {
    if (killedBy) return `signal: ${killedBy === "SIGKILL" ? "killed" : killedBy === "SIGTERM" ? "terminated" : killedBy}`;
    return code === 0 ? undefined : `exit status ${code}`;
}

function text(chunks: readonly Buffer[]): string {
    return Buffer.concat(chunks).toString("utf8");
}

/** Logs complete lines in order, as they arrive. */
function lineLogger(log: (line: string) => Promise<void>) {
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
