import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startNetd } from "../net/netd.ts";
import type { Relay } from "../net/plan/plan.ts";
import { type Process, startProcess } from "../process/processes.ts";

const run = promisify(execFile);
const TIMEOUT_MILLISECONDS = 60_000;
/** The kernel's limit for a unix socket's path, in bytes. */
const LONGEST_PATH = 107;

/** Namespaces that a user may create without root: they allow mounts, and have a network of their own. */
const UNSHARE = ["--user", "--map-root-user", "--net", "--mount", "--propagation", "private"];

/** Some of the machine's programs lie in folders that are not on every user's PATH. */
const FIND = "PATH=$PATH:/usr/sbin:/sbin";

/** Makes every address local to the sandbox: programs use the addresses and ports of their VPC, and all of them are on this loopback. */
const OWN_ALL_ADDRESSES = `${FIND}; ip link set lo up && ip route add local default dev lo && exec "$@"`;

/** Enters a root file system that contains only what is bound into it, as an image's does. */
const ENTER_ROOT = `
${FIND}
set -e
root=$1; shift
mount -t tmpfs -o mode=755 none "$root"
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root\${2%/*}"; : > "$root$2"; fi
    mount --rbind "$1" "$root$2"
    shift 2
done
shift
mkdir -p "$root/tmp" "$root/run"
cd "$root"
exec chroot . "$@"
`;

/** The machine's folders that a program sees. Without the libraries, a dynamically linked program would not start. */
const MACHINE_FOLDERS = ["/proc", "/dev", "/lib", "/lib64", "/usr/lib"].filter((path) => existsSync(path));

/** A container without root, limits and users: a root file system and the sandbox's network. */
export interface Contents {
    /** Files and folders: path in the container → path on this machine. */
    files: Readonly<Record<string, string>>;
    args: readonly string[];
    env: Readonly<Record<string, string>>;
}

/** Namespaces in which programs run as in a pod, without root. */
export interface Sandbox {
    /** Carries these connections; replaces those of the call before. @throws Error that names those that cannot be carried */
    relay(relays: ReadonlyMap<string, Relay>): Promise<void>;
    /** Starts a program that ends when the lab does. Its output goes to `<name>.log`. */
    start(name: string, contents: Contents): Process;
    /** Runs a program until it ends. @returns its standard output @throws Error if it fails or takes more than 60 s */
    run(contents: Contents): Promise<string>;
    /** Call it after all programs have ended. */
    close(): Promise<void>;
}

/** Why this user cannot run a sandbox on this machine. Undefined: it works. */
export async function whyNoSandbox(): Promise<string | undefined> {
    const trial =
        "mount -t tmpfs none /tmp && mkdir -p /tmp/proc && mount --rbind /proc /tmp/proc && nsenter --version && command -v chroot";
    try {
        await run("unshare", [...UNSHARE, "/bin/sh", "-c", OWN_ALL_ADDRESSES, "sh", "/bin/sh", "-c", `${FIND}; ${trial}`], {
            timeout: TIMEOUT_MILLISECONDS,
        });
        return undefined;
    } catch (error) {
        const { stderr, message } = error as { stderr?: string; message: string };
        return `this user may not create user namespaces, or unshare, nsenter, mount or ip is missing: ${stderr?.trim() || message}`;
    }
}

/**
 * @param folder for sockets and logs
 * @param onEnd called with the reason if the sandbox's relays end by themselves
 */
export async function openSandbox(netd: string, folder: string, onEnd: (how: string) => void): Promise<Sandbox> {
    const root = join(folder, "root");
    await mkdir(root, { recursive: true, mode: 0o700 });
    const relays = startNetd({
        file: netd,
        by: ["unshare", ...UNSHARE, "/bin/sh", "-c", OWN_ALL_ADDRESSES, "sh"],
        log: join(folder, "netd.log"),
        onHealth: () => {},
        onEnd,
    });
    const enter = ({ files, args }: Contents) => [
        ...["--target", `${relays.pid}`, "--user", "--preserve-credentials", "--net", "--mount"],
        ...["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", ENTER_ROOT, "sh", root],
        ...MACHINE_FOLDERS.flatMap((path) => [path, path]),
        ...Object.entries(files).flatMap(([path, source]) => [source, path]),
        "--",
        ...args,
    ];
    const sandbox: Sandbox = {
        async relay(wanted) {
            const failures = await relays.work(new Map(), wanted);
            if (failures.length > 0) throw new Error(`connections cannot be carried:\n${failures.join("\n")}`);
        },
        start: (name, contents) =>
            startProcess({ name, file: "nsenter", args: enter(contents), log: join(folder, `${name}.log`), env: contents.env, folder }),
        async run(contents) {
            const options = { env: { ...process.env, ...contents.env }, timeout: TIMEOUT_MILLISECONDS, maxBuffer: 2 ** 24 };
            return (await run("nsenter", enter(contents), options)).stdout;
        },
        close: () => relays.close(),
    };
    try {
        // Once it responds, it is in the namespaces that the programs enter.
        await sandbox.relay(new Map());
        return sandbox;
    } catch (error) {
        await sandbox.close();
        throw error;
    }
}

/** The path of a socket in the folder. @throws Error if the path is too long for a socket */
export function socketIn(folder: string, name: string): string {
    const path = join(folder, name);
    if (Buffer.byteLength(path) > LONGEST_PATH) {
        throw new Error(
            `${path} is too long for a socket, whose path may have ${LONGEST_PATH} bytes: set TMPDIR to a folder with a shorter path`,
        );
    }
    return path;
}
