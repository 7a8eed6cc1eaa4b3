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

/** A package of Debian's, and those of its programs that the lab runs. */
interface DebianPackage {
    name: string;
    /** Programs by the name under which they are run: the file's name in the package, and the arguments that go before the caller's. */
    programs: Readonly<Record<string, readonly [file: string, ...args: string[]]>>;
    /** What the first program must print to be taken from the PATH, and the others with it; without, being there is enough. */
    onPath?: Requirement;
    /** What somebody whose system is not Debian is to install. */
    install: string;
}

const iptables = (name: string) => [name, ["xtables-nft-multi", name]] as const;

const PACKAGES = [
    {
        name: "clang-19",
        programs: { clang: ["clang-19"] },
        // Cilium's own requirement.
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
    // The number that is read is the 2 of `iproute2-6.1.0`; BusyBox's `ip` prints a 1.
    { name: "iproute2", programs: { ip: ["ip"] }, onPath: { args: ["-Version"], range: ">=2.0.0" }, install: "iproute2" },
    {
        name: "containernetworking-plugins",
        programs: { ptp: ["ptp"], "host-local": ["host-local"], loopback: ["loopback"] },
        install: "the CNI plugins (in /opt/cni/bin)",
    },
] as const satisfies readonly DebianPackage[];

/** Where a package puts programs. */
const PROGRAM_FOLDERS = ["usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/cni"];
/** CNI plugins are on no PATH. */
const CNI_FOLDERS = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

export interface DebianPrograms {
    /** Folders of all of them, for a PATH and for CNI_PATH; also valid in a container over the same root that sees the cache. */
    folders: string[];
    /** Each one's file. */
    file: Readonly<Record<DebianProgram, string>>;
}

export type DebianProgram = "clang" | "nft" | "crun" | "ip" | "ptp" | "host-local" | "loopback" | IptablesProgram;
type IptablesProgram = `${"iptables" | "ip6tables"}${"" | "-save" | "-restore"}`;

/**
 * Programs of the datapath that Go cannot build: usable ones of this machine, and for the others Debian's packages of this machine's release, unpacked into
 * the cache. Nothing is installed; apt checks signatures as ever.
 *
 * @throws Error that says what to install, where something is missing and there is no apt
 */
export async function ensureDebian({
    log = () => {},
    path = process.env.PATH ?? "",
    cache = cacheFolder(),
}: ToolOptions = {}): Promise<DebianPrograms> {
    const found = await Promise.all(PACKAGES.map(async (one) => [one, await onThisMachine(one, path)] as const));
    const missing = found.flatMap(([one, files]) => (files ? [] : [one]));
    const release = await readFile("/etc/os-release", "utf8").catch(() => "");
    const folders = new Map(missing.map((one) => [one.name, unpackedFolder(one, release, cache)]));
    const absent = missing.filter(({ name }) => !existsSync(folders.get(name) ?? ""));
    if (absent.length > 0) await requireApt(absent);
    for (const one of absent) await unpack(one, folders.get(one.name) ?? "", log);
    const files = found.flatMap(([{ name, programs }, own]) =>
        Object.keys(programs).map((program) => [program, join(own?.[program] ?? join(folders.get(name) ?? "", "bin"), program)] as const),
    );
    return {
        file: Object.fromEntries(files) as Record<DebianProgram, string>,
        folders: [...new Set(files.map(([, file]) => dirname(file)))],
    };
}

/** The folder of each program, when this machine has all of the package's. */
async function onThisMachine({ programs, onPath }: DebianPackage, path: string): Promise<Record<string, string> | undefined> {
    const names = Object.keys(programs);
    const first = onPath && (await programOnPath(names[0] ?? "", onPath, path));
    if (onPath && !first) return undefined;
    const folders = first ? [dirname(first)] : [...CNI_FOLDERS, ...path.split(delimiter)];
    const found = names.map((name) => [name, folders.find((folder) => folder && executable(join(folder, name)))] as const);
    return found.every(([, folder]) => folder) ? Object.fromEntries(found.map(([name, folder]) => [name, folder ?? ""])) : undefined;
}

function unpackedFolder(one: DebianPackage, release: string, cache: string): string {
    const key = createHash("sha256").update(JSON.stringify([one, release, process.arch]));
    return join(cache, "debian", `${one.name}-${key.digest("hex").slice(0, 12)}`);
}

/** Fetches a package, with what it needs, and unpacks it into the folder; its `bin` has the programs. */
async function unpack(one: DebianPackage, folder: string, log: (line: string) => void): Promise<void> {
    const wait = () => log("another lab is fetching Debian's packages, waiting for it");
    await onceFolder(folder, wait, async (unfinished) => {
        log(`fetching ${one.name} from Debian, to be unpacked into the cache`);
        const archives = await download(one, unfinished, join(folder, "../lists"));
        await mkdir(join(unfinished, "root"));
        for (const archive of archives) await run("dpkg-deb", ["--extract", archive, join(unfinished, "root")]);
        await rm(join(unfinished, "apt"), { recursive: true });
        await writePrograms(one, unfinished, folder);
    });
}

async function requireApt(packages: readonly DebianPackage[]): Promise<void> {
    const all = await Promise.all([run("apt-get", ["--version"]), run("dpkg-deb", ["--version"])]).catch(() => undefined);
    if (all) return;
    const what = packages.map(({ install }) => install).join(", ");
    throw new Error(`the PATH lacks programs that Cilium's datapath needs, and there is no apt-get to fetch them with: install ${what}`);
}

/** Downloads a package, and those that it needs and this machine lacks. @param lists folder for lists of packages of our own @returns their files */
async function download({ name, install }: DebianPackage, folder: string, lists: string): Promise<string[]> {
    const apt = join(folder, "apt");
    await mkdir(join(apt, "archives", "partial"), { recursive: true });
    await mkdir(join(lists, "partial"), { recursive: true });
    const common = [
        `Dir::Cache::archives "${join(apt, "archives")}";`,
        // Without root it could not lock; with root there is nothing to lock, as nothing of the machine's is written.
        'Debug::NoLocking "true";',
        "#clear APT::Update::Post-Invoke;",
    ];
    await writeFile(join(apt, "machine.conf"), common.join("\n"));
    await writeFile(join(apt, "own.conf"), [...common, `Dir::State::lists "${lists}";`, 'Dir::Cache::pkgcache "";'].join("\n"));
    const options = { timeout: DOWNLOAD_MILLISECONDS, env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" } };
    const aptGet = (config: "machine" | "own", ...args: string[]) =>
        run("apt-get", ["-qq", "-c", join(apt, `${config}.conf`), ...args], options);
    const fetch = (config: "machine" | "own") =>
        aptGet(config, "install", "--download-only", "--no-install-recommends", "--yes", "--reinstall", name);
    // This machine's lists of packages may be old, or none: then our own, which it does not get to see, and which may be old by now as well.
    await fetch("machine")
        .catch(() => fetch("own"))
        .catch(async () => {
            // Its failure is none yet: the machine may name sources of other packages that do not answer.
            await aptGet("own", "update").catch(() => {});
            await fetch("own");
        })
        .catch((error: Error & { stderr?: string }) => {
            throw new Error(
                `apt-get cannot fetch Debian's ${name}, without which Cilium's datapath cannot run; install ${install}, or see to it that ` +
                    `this machine's sources of packages have it and answer: ${error.stderr?.trim() || error.message}`,
            );
        });
    const files = await readdir(join(apt, "archives"));
    return files.filter((file) => file.endsWith(".deb")).map((file) => join(apt, "archives", file));
}

/** Scripts in `bin` that run the unpacked programs with the unpacked libraries. @param final what the folder will be called */
async function writePrograms({ name, programs }: DebianPackage, folder: string, final: string): Promise<void> {
    await mkdir(join(folder, "bin"));
    const folders = await readdir(join(folder, "root/usr/lib")).catch(() => []);
    const libraryPath = folders.filter((one) => one.includes("-linux-gnu")).map((one) => join(final, "root/usr/lib", one));
    for (const [program, [file, ...args]] of Object.entries(programs)) {
        const where = PROGRAM_FOLDERS.find((one) => existsSync(join(folder, "root", one, file)));
        if (!where) throw new Error(`Debian's package ${name} has no program ${file}`);
        const lines = [
            "#!/bin/sh",
            `export LD_LIBRARY_PATH='${libraryPath.join(":")}' XTABLES_LIBDIR='${libraryPath.map((one) => join(one, "xtables")).join(":")}'`,
            `exec '${join(final, "root", where, file)}' ${[...args, '"$@"'].join(" ")}`,
        ];
        await writeFile(join(folder, "bin", program), `${lines.join("\n")}\n`);
        await chmod(join(folder, "bin", program), 0o755);
    }
}
