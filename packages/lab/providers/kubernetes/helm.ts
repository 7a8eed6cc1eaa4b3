import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface HelmOptions {
    /** The program: a path, or a name on the PATH. */
    helm: string;
    /** The project's folder, which a chart's relative path starts from. */
    directory: string;
    environment?: NodeJS.ProcessEnv;
}

/** Helm has said no. */
export class HelmError extends Error {}

/**
 * Runs Helm against a cluster. Values go in over standard input and the kubeconfig through a file of mode 600 that is gone afterwards: neither is on the command
 * line, where every user of the machine could read it.
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
        // Without it Helm would take whatever cluster the runner's own kubeconfig names.
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
    // Helm marks the release as failed on its way out: what is killed outright stays "pending" and blocks every later upgrade.
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
            const said = Buffer.concat(stderr).toString("utf8").trim();
            reject(
                new HelmError(
                    options.signal.aborted ? "context canceled" : said.replace(/^[\s\S]*?Error: /, "") || `helm: exit status ${code}`,
                ),
            );
        });
    }).finally(() => options.signal.removeEventListener("abort", stop));
}
