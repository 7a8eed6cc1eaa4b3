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
import type { VolumeFiles } from "./volumes.ts";

const DATA = "..data";
const GROUP_READS = 0o440;
/** Only root may give files to others. */
const OWN = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/**
 * Makes a folder hold these files and no others, as the kubelet does it: the files lie in a folder of their own, to which the link `..data` points, and the
 * names are links through it. Renaming a new link over the old one changes all files in one step, which programs wait for by inotify.
 *
 * @param group who may read the files as well: the pod's fsGroup
 * @returns whether anything was changed
 */
export function writeVolume(folder: string, files: VolumeFiles, group?: number): boolean {
    mkdirSync(folder, { recursive: true });
    const old = currentFolder(folder);
    if (old && same(join(folder, old), files)) return false;
    const made = `..${new Date().toISOString().replaceAll(/[-:T.Z]/g, "_")}${process.hrtime.bigint() % 1_000_000n}`;
    mkdirSync(join(folder, made), { mode: 0o755 });
    for (const [path, { data, mode, uid }] of Object.entries(files)) {
        const file = join(folder, made, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, data, { mode: 0o600 });
        chownSync(file, uid ?? OWN.uid, group ?? OWN.gid);
        chmodSync(file, group === undefined ? mode : mode | GROUP_READS);
    }
    symlinkSync(made, join(folder, `${DATA}_tmp`));
    renameSync(join(folder, `${DATA}_tmp`), join(folder, DATA));

    const names = new Set(Object.keys(files).map((path) => path.split("/")[0] ?? ""));
    for (const name of names) if (!exists(join(folder, name))) symlinkSync(join(DATA, name), join(folder, name));
    for (const name of readdirSync(folder)) if (!name.startsWith("..") && !names.has(name)) rmSync(join(folder, name));
    if (old) rmSync(join(folder, old), { recursive: true });
    return true;
}

function same(folder: string, files: VolumeFiles): boolean {
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

/** Also of a link that points nowhere. */
function exists(path: string): boolean {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
