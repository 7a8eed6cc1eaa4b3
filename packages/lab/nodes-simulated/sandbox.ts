import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startNetd } from "../net/netd.ts";
import type { Relay } from "../net/plan.ts";
import { type Process, startProcess } from "../process/processes.ts";

const run = promisify(execFile);
const TIMEOUT_MILLISECONDS = 60_000;
/** Of the kernel's, for a socket's path. */
const LONGEST_PATH = 107;

/** Namespaces that whoever runs this may make without root: in them he may mount, and has a network of his own. */
const UNSHARE = ["--user", "--map-root-user", "--net", "--mount", "--propagation", "private"];

/** Programs of the machine that are not in everybody's PATH. */
const FIND = "PATH=$PATH:/usr/sbin:/sbin";

/** Every address is the sandbox's own: programs listen on and dial the addresses and ports that they would in their VPC, and all are on this loopback. */
const OWN_ALL_ADDRESSES = `${FIND}; ip link set lo up && ip route add local default dev lo && exec "$@"`;

/** A root file system that has what is bound into it and nothing else, as an image's. */
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

/** What a program sees of the machine: without libraries one that is linked to them would not start. */
const OF_THE_MACHINE = ["/proc", "/dev", "/lib", "/lib64", "/usr/lib"].filter((path) => existsSync(path));

/** A container without root, limits and users of its own: a root file system and the sandbox's network. */
export interface Contents {
    /** Path in the container → on this machine: files and folders. */
    files: Readonly<Record<string, string>>;
    args: readonly string[];
    env: Readonly<Record<string, string>>;
}

/** Namespaces in which programs run as in a pod, for a user who is not root. */
export interface Sandbox {
    /** Carries these connections, and no others any more. @throws Error that says which cannot be carried */
    relay(relays: ReadonlyMap<string, Relay>): Promise<void>;
    /** Starts a program that ends with the lab. Its output goes to `<name>.log`. */
    start(name: string, contents: Contents): Process;
    /** Runs one to its end. @returns its standard output @throws Error when it fails or takes more than a minute */
    run(contents: Contents): Promise<string>;
    /** Programs must have ended before. */
    close(): Promise<void>;
}

/** Why this user cannot have a sandbox on this machine, in a sentence; undefined when he can. */
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
        return `this user may not make user namespaces, or the machine lacks unshare, nsenter, mount or ip: ${stderr?.trim() || message}`;
    }
}

/** @param folder for sockets and logs @param onEnd is told when the sandbox's relays end though nobody asked them to */
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
        ...OF_THE_MACHINE.flatMap((path) => [path, path]),
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
        // Once it works it is in the namespaces that others then enter.
        await sandbox.relay(new Map());
        return sandbox;
    } catch (error) {
        await sandbox.close();
        throw error;
    }
}

/** The path of a socket in the folder. @throws Error when sockets cannot lie there */
export function socketIn(folder: string, name: string): string {
    const path = join(folder, name);
    if (Buffer.byteLength(path) > LONGEST_PATH) {
        throw new Error(`${path} is longer than the ${LONGEST_PATH} bytes that a socket's path may have: set TMPDIR to a shorter folder`);
    }
    return path;
}
