import {
    chmodSync,
    chownSync,
    existsSync,
    lstatSync,
    mkdirSync,
    readdirSync,
    readFileSync,
    readlinkSync,
    renameSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { VolumeFiles } from "./volume-files.ts";

const DATA = "..data";
const GROUP_READABLE = 0o440;
/** The default owner of files. Only root may give files to another one. */
const OWNER = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/**
 * Writes the files of a volume and deletes all others, atomically as the kubelet does.
 *
 * The files are in a timestamped folder. The symlink `..data` points to that folder, and each name is a symlink through `..data`. Renaming a new `..data` over
 * the old one replaces all files in one step, for which programs wait with inotify.
 *
 * @param group group that may read the files as well: the pod's fsGroup
 * @returns whether anything has changed
 */
export function writeVolume(folder: string, files: VolumeFiles, group?: number): boolean {
    mkdirSync(folder, { recursive: true });
    const old = currentFolder(folder);
    if (old && sameFiles(join(folder, old), files)) return false;
    const current = `..${new Date().toISOString().replaceAll(/[-:T.Z]/g, "_")}${process.hrtime.bigint() % 1_000_000n}`;
    mkdirSync(join(folder, current), { mode: 0o755 });
    for (const [path, { data, mode, uid }] of Object.entries(files)) {
        const file = join(folder, current, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, data, { mode: 0o600 });
        chownSync(file, uid ?? OWNER.uid, group ?? OWNER.gid);
        chmodSync(file, group === undefined ? mode : mode | GROUP_READABLE);
    }
    symlinkSync(current, join(folder, `${DATA}_tmp`));
    renameSync(join(folder, `${DATA}_tmp`), join(folder, DATA));

    const names = new Set(Object.keys(files).map((path) => path.split("/")[0] ?? ""));
    for (const name of names) if (!exists(join(folder, name))) symlinkSync(join(DATA, name), join(folder, name));
    for (const name of readdirSync(folder)) if (!name.startsWith("..") && !names.has(name)) rmSync(join(folder, name));
    if (old) rmSync(join(folder, old), { recursive: true });
    return true;
}

function sameFiles(folder: string, files: VolumeFiles): boolean {
    const known = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return (
        known.length === Object.keys(files).length && Object.entries(files).every(([path, { data }]) => sameFile(join(folder, path), data))
    );
}

function sameFile(file: string, data: Buffer): boolean {
    return existsSync(file) && readFileSync(file).equals(data);
}

function currentFolder(folder: string): string | undefined {
    return exists(join(folder, DATA)) ? readlinkSync(join(folder, DATA)) : undefined;
}

/** Whether a path exists, even if it is a broken symlink. */
function exists(path: string): boolean {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
