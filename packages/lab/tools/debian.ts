import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, onceFolder } from "./cache.ts";
import type { Requirement } from "./catalog.ts";
import { executable, programOnPath } from "./on-path.ts";
import type { ToolOptions } from "./tools.ts";

const run = promisify(execFile);
const DOWNLOAD_MILLISECONDS = 600_000;

/** A Debian package, and those of its programs that the lab runs. */
interface DebianPackage {
    name: string;
    /** Programs by the name under which the lab runs them: the file's name in the package, and arguments to put before the caller's. */
    programs: Readonly<Record<string, readonly [file: string, ...args: string[]]>>;
    /** What the first program must print so that all programs are taken from the PATH. Undefined: they only have to exist. */
    onPath?: Requirement;
    /** What to install on a system other than Debian. */
    install: string;
}

const iptables = (name: string) => [name, ["xtables-nft-multi", name]] as const;

const PACKAGES = [
    {
        name: "clang-19",
        programs: { clang: ["clang-19"] },
        // Required by Cilium.
        onPath: { args: ["--version"], range: ">=18.1.0" },
        install: "clang 18.1 or newer",
    },
    {
        name: "iptables",
        programs: Object.fromEntries(
            ["iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"].map(iptables),
        ),
        onPath: { args: ["--version"], range: ">=1.8.0" },
        install: "iptables 1.8 or newer",
    },
    { name: "nftables", programs: { nft: ["nft"] }, onPath: { args: ["--version"], range: ">=1.0.0" }, install: "nftables 1.0 or newer" },
    { name: "crun", programs: { crun: ["crun"] }, onPath: { args: ["--version"], range: ">=1.8.0" }, install: "crun 1.8 or newer" },
    // The first number is the 2 of `iproute2-6.1.0`; for BusyBox's `ip` it is a 1.
    { name: "iproute2", programs: { ip: ["ip"] }, onPath: { args: ["-Version"], range: ">=2.0.0" }, install: "iproute2" },
    {
        name: "containernetworking-plugins",
        programs: { ptp: ["ptp"], "host-local": ["host-local"], loopback: ["loopback"] },
        install: "the CNI plugins (in /opt/cni/bin)",
    },
] as const satisfies readonly DebianPackage[];

/** Folders of programs in a package. */
const PROGRAM_FOLDERS = ["usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/cni"];
/** CNI plugins are not on the PATH. */
const CNI_FOLDERS = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

export interface DebianPrograms {
    /** Folders of all programs, for a PATH and for CNI_PATH. Also valid in a container over the same root that sees the cache. */
    folders: string[];
    /** File of each program. */
    file: Readonly<Record<DebianProgram, string>>;
}

type DebianProgram = "clang" | "nft" | "crun" | "ip" | "ptp" | "host-local" | "loopback" | IptablesProgram;
type IptablesProgram = `${"iptables" | "ip6tables"}${"" | "-save" | "-restore"}`;

/**
 * Returns the datapath's programs that Go cannot build: usable ones of this machine, and for the others Debian packages of this machine's
 * release, unpacked into the cache. Nothing is installed, and apt verifies signatures as usual.
 *
 * @throws Error that says what to install, if a program and apt are missing
 */
export async function ensureDebian({
    log = () => {},
    path = process.env.PATH ?? "",
    cache = cacheFolder(),
}: ToolOptions = {}): Promise<DebianPrograms> {
    const found = await Promise.all(PACKAGES.map(async (pkg) => [pkg, await onThisMachine(pkg, path)] as const));
    const missing = found.flatMap(([pkg, files]) => (files ? [] : [pkg]));
    const release = await readFile("/etc/os-release", "utf8").catch(() => "");
    const folders = new Map(missing.map((pkg) => [pkg.name, unpackedFolder(pkg, release, cache)]));
    const absent = missing.filter(({ name }) => !existsSync(folders.get(name) ?? ""));
    if (absent.length > 0) await requireApt(absent);
    for (const pkg of absent) await unpack(pkg, folders.get(pkg.name) ?? "", log);
    const files = found.flatMap(([{ name, programs }, own]) =>
        Object.keys(programs).map((program) => [program, join(own?.[program] ?? join(folders.get(name) ?? "", "bin"), program)] as const),
    );
    return {
        file: Object.fromEntries(files) as Record<DebianProgram, string>,
        folders: [...new Set(files.map(([, file]) => dirname(file)))],
    };
}

/** The folder of each program. @returns undefined unless this machine has all programs of the package */
async function onThisMachine({ programs, onPath }: DebianPackage, path: string): Promise<Record<string, string> | undefined> {
    const names = Object.keys(programs);
    const first = onPath && (await programOnPath(names[0] ?? "", onPath, path));
    if (onPath && !first) return undefined;
    const folders = first ? [dirname(first)] : [...CNI_FOLDERS, ...path.split(delimiter)];
    const found = names.map((name) => [name, folders.find((folder) => folder && executable(join(folder, name)))] as const);
    return found.every(([, folder]) => folder) ? Object.fromEntries(found.map(([name, folder]) => [name, folder ?? ""])) : undefined;
}

function unpackedFolder(pkg: DebianPackage, release: string, cache: string): string {
    const key = createHash("sha256").update(JSON.stringify([pkg, release, process.arch]));
    return join(cache, "debian", `${pkg.name}-${key.digest("hex").slice(0, 12)}`);
}

/** Fetches a package and its missing dependencies, and unpacks them into the folder. Its `bin` has the programs. */
async function unpack(pkg: DebianPackage, folder: string, log: (line: string) => void): Promise<void> {
    const wait = () => log("another lab is fetching Debian packages, waiting for it");
    await onceFolder(folder, wait, async (unfinished) => {
        log(`fetching ${pkg.name} from Debian and unpacking it into the cache`);
        const archives = await download(pkg, unfinished, join(folder, "../lists"));
        await mkdir(join(unfinished, "root"));
        for (const archive of archives) await run("dpkg-deb", ["--extract", archive, join(unfinished, "root")]);
        await rm(join(unfinished, "apt"), { recursive: true });
        await writePrograms(pkg, unfinished, folder);
    });
}

async function requireApt(packages: readonly DebianPackage[]): Promise<void> {
    const usable = await Promise.all([run("apt-get", ["--version"]), run("dpkg-deb", ["--version"])]).catch(() => undefined);
    if (usable) return;
    const what = packages.map(({ install }) => install).join(", ");
    throw new Error(
        `programs that Cilium's datapath needs are not on the PATH, and apt-get, which could fetch them, is missing: install ${what}`,
    );
}

/**
 * Downloads a package and those of its dependencies that this machine lacks.
 *
 * @param lists folder for the lab's own package lists
 * @returns the archives
 */
async function download({ name, install }: DebianPackage, folder: string, lists: string): Promise<string[]> {
    const apt = join(folder, "apt");
    await mkdir(join(apt, "archives", "partial"), { recursive: true });
    await mkdir(join(lists, "partial"), { recursive: true });
    const settings = [
        `Dir::Cache::archives "${join(apt, "archives")}";`,
        // Without root apt cannot lock. With root it need not, since it writes nothing of the machine's.
        'Debug::NoLocking "true";',
        "#clear APT::Update::Post-Invoke;",
    ];
    await writeFile(join(apt, "machine.conf"), settings.join("\n"));
    await writeFile(join(apt, "own.conf"), [...settings, `Dir::State::lists "${lists}";`, 'Dir::Cache::pkgcache "";'].join("\n"));
    const options = { timeout: DOWNLOAD_MILLISECONDS, env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" } };
    const aptGet = (config: "machine" | "own", ...args: string[]) =>
        run("apt-get", ["-qq", "-c", join(apt, `${config}.conf`), ...args], options);
    const fetch = (config: "machine" | "own") =>
        aptGet(config, "install", "--download-only", "--no-install-recommends", "--yes", "--reinstall", name);
    // This machine's package lists may be outdated or missing. Then use the lab's own lists, which the machine never sees, and update those
    // if they are outdated too.
    await fetch("machine")
        .catch(() => fetch("own"))
        .catch(async () => {
            // A failed update is no error yet: the source that does not respond may be one of other packages.
            await aptGet("own", "update").catch(() => {});
            await fetch("own");
        })
        .catch((error: Error & { stderr?: string }) => {
            throw new Error(
                `apt-get cannot fetch Debian's ${name}, which Cilium's datapath needs; install ${install}, or make sure that this machine's ` +
                    `package sources respond and have it: ${error.stderr?.trim() || error.message}`,
            );
        });
    const files = await readdir(join(apt, "archives"));
    return files.filter((file) => file.endsWith(".deb")).map((file) => join(apt, "archives", file));
}

/**
 * Writes scripts into `bin` that run the unpacked programs with the unpacked libraries.
 *
 * @param final path of the folder once it is complete
 */
async function writePrograms({ name, programs }: DebianPackage, folder: string, final: string): Promise<void> {
    await mkdir(join(folder, "bin"));
    const folders = await readdir(join(folder, "root/usr/lib")).catch(() => []);
    const libraryPath = folders.filter((entry) => entry.includes("-linux-gnu")).map((entry) => join(final, "root/usr/lib", entry));
    for (const [program, [file, ...args]] of Object.entries(programs)) {
        const where = PROGRAM_FOLDERS.find((entry) => existsSync(join(folder, "root", entry, file)));
        if (!where) throw new Error(`Debian's package ${name} has no program ${file}`);
        const lines = [
            "#!/bin/sh",
            `export LD_LIBRARY_PATH='${libraryPath.join(":")}' XTABLES_LIBDIR='${libraryPath.map((path) => join(path, "xtables")).join(":")}'`,
            `exec '${join(final, "root", where, file)}' ${[...args, '"$@"'].join(" ")}`,
        ];
        await writeFile(join(folder, "bin", program), `${lines.join("\n")}\n`);
        await chmod(join(folder, "bin", program), 0o755);
    }
}
