import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface HelmOptions {
    /** The executable: a path, or a name on the PATH. */
    helm: string;
    /** The project's folder; relative chart paths are resolved from it. */
    directory: string;
    environment?: NodeJS.ProcessEnv;
}

/** Helm failed; the message is Helm's own. */
export class HelmError extends Error {}

/**
 * Runs Helm against a cluster. Values are passed on standard input and the kubeconfig in a temporary file of mode 600, because every user of the machine can
 * read a command line.
 */
export async function helm(
    { helm: program, directory, environment = process.env }: HelmOptions,
    args: readonly string[],
    { kubeconfig, stdin = "", signal }: { kubeconfig?: string; stdin?: string; signal: AbortSignal },
): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "clustermesh-helm-"));
    try {
        const file = join(folder, "kubeconfig");
        await writeFile(file, kubeconfig ?? "", { mode: 0o600 });
        // Without --kubeconfig, Helm would use the cluster of the user's own kubeconfig.
        return await run(program, [...args, "--kubeconfig", file], { cwd: directory, env: environment, stdin, signal });
    } finally {
        await rm(folder, { recursive: true, force: true });
    }
}

function run(
    program: string,
    args: readonly string[],
    options: { cwd: string; env: NodeJS.ProcessEnv; stdin: string; signal: AbortSignal },
): Promise<string> {
    options.signal.throwIfAborted();
    const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ["pipe", "pipe", "pipe"] });
    // On SIGTERM, Helm marks the release as failed. After SIGKILL it would stay "pending" and block every later upgrade.
    const stop = () => child.kill("SIGTERM");
    options.signal.addEventListener("abort", stop, { once: true });
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin);
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    return new Promise<string>((resolve, reject) => {
        child.on("error", (error) => reject(new HelmError(`${program} cannot be run: ${error.message}`)));
        child.on("close", (code) => {
            if (code === 0) return resolve(Buffer.concat(stdout).toString("utf8"));
            const message = Buffer.concat(stderr).toString("utf8").trim();
            reject(
                new HelmError(
                    options.signal.aborted ? "context canceled" : message.replace(/^[\s\S]*?Error: /, "") || `helm: exit status ${code}`,
                ),
            );
        });
    }).finally(() => options.signal.removeEventListener("abort", stop));
}
