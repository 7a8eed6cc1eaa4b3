import { posix } from "node:path";
import type { V1Container, V1Pod, V1VolumeMount } from "@kubernetes/client-node";
import { capabilitiesOf } from "./capabilities.ts";
import { expand } from "./environment.ts";
import type { Program } from "./images.ts";

/** The fields of an OCI runtime bundle's config.json that the lab sets. https://github.com/opencontainers/runtime-spec, 1.0.2 */
export interface Bundle {
    ociVersion: string;
    process: OciProcess;
    root: { path: string };
    hostname?: string;
    mounts: OciMount[];
    linux: { namespaces: { type: string; path?: string }[]; readonlyPaths: string[]; maskedPaths: string[]; rootfsPropagation: string };
}

export interface OciProcess {
    terminal: boolean;
    user: { uid: number; gid: number; additionalGids?: number[] };
    args: string[];
    env: string[];
    cwd: string;
    capabilities: { bounding: string[]; effective: string[]; permitted: string[] };
    noNewPrivileges: boolean;
}

interface OciMount {
    destination: string;
    type: string;
    source: string;
    options: string[];
}

export interface BundleInput {
    pod: V1Pod;
    container: V1Container;
    program: Program;
    environment: Readonly<Record<string, string>>;
    /** Path of the container's root file system. */
    rootfs: string;
    /** Folder of the container's writable layer. */
    layer: string;
    /** Folder of each of the pod's volumes in the node's view, by name. */
    volumes: Readonly<Record<string, string>>;
    /** Files that the kubelet mounts into the container: path in the container → path on the machine. */
    files: Readonly<Record<string, string>>;
    /** Folder of the built programs. It is mounted at the same path, because the programs refer to each other by it. */
    cache: string;
    /** Folders that come before the standard ones in PATH. */
    path: readonly string[];
    /** The capabilities that this machine can grant. */
    available: ReadonlySet<string>;
    /** Path of the network namespace in the node's view. @default the node's own network namespace */
    network?: string;
}

const PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Except for /proc/sys/net, the node's /proc/sys is the machine's: writing to it would change this machine. */
const READ_ONLY = ["fs", "kernel", "vm", "dev", "debug"].map((part) => `/proc/sys/${part}`);
const MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/sysrq-trigger", "/proc/scsi", "/sys/firmware"];

/** The bundle from which crun runs a container. A privileged container gets every capability, but none of the machine's devices. */
export function bundle(input: BundleInput): Bundle {
    const { pod, rootfs, network } = input;
    const hostPid = pod.spec?.hostPID === true;
    return {
        ociVersion: "1.0.2",
        process: processOf(input),
        root: { path: rootfs },
        ...(!pod.spec?.hostNetwork && { hostname: pod.spec?.hostname ?? pod.metadata?.name ?? "" }),
        mounts: [...systemMounts(input), ...volumeMounts(input)],
        linux: {
            namespaces: [
                ...(hostPid ? [] : [{ type: "pid" }]),
                { type: "mount" },
                { type: "ipc" },
                // A hostNetwork pod has the node's host name.
                ...(pod.spec?.hostNetwork ? [] : [{ type: "uts" }]),
                ...(network ? [{ type: "network", path: network }] : []),
            ],
            readonlyPaths: READ_ONLY,
            maskedPaths: isPrivileged(input.container) ? [] : MASKED,
            rootfsPropagation: "rslave",
        },
    };
}

/**
 * The container's process, or another process in the container.
 *
 * @param args replace the container's own arguments
 */
export function processOf({ pod, container, program, environment, path, available }: BundleInput, args?: readonly string[]): OciProcess {
    const { securityContext } = container;
    const { securityContext: podContext } = pod.spec ?? {};
    const hostname = pod.spec?.hostNetwork ? pod.spec.nodeName : (pod.spec?.hostname ?? pod.metadata?.name);
    const uid = securityContext?.runAsUser ?? podContext?.runAsUser ?? 0;
    const env = {
        PATH: [...program.path, ...path, ...PATH].join(":"),
        HOSTNAME: hostname ?? "",
        HOME: uid === 0 ? "/root" : "/",
        ...program.env,
        ...environment,
    };
    const capabilities = capabilitiesOf(container)
        .filter((name) => available.has(name))
        .map((name) => `CAP_${name}`);
    const groups = [...(podContext?.supplementalGroups ?? []), ...(podContext?.fsGroup === undefined ? [] : [podContext.fsGroup])];
    return {
        terminal: false,
        user: {
            uid,
            gid: securityContext?.runAsGroup ?? podContext?.runAsGroup ?? 0,
            ...(groups.length > 0 && { additionalGids: groups }),
        },
        args: [...(args ?? program.args.map((text) => expand(text, environment)))],
        env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
        cwd: container.workingDir ?? "/",
        capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
        noNewPrivileges: securityContext?.allowPrivilegeEscalation === false,
    };
}

function isPrivileged({ securityContext }: V1Container): boolean {
    return securityContext?.privileged === true;
}

function systemMounts({ pod, container, cache, files, program, layer }: BundleInput): OciMount[] {
    const mount = (destination: string, type: string, ...options: string[]): OciMount => ({ destination, type, source: type, options });
    const sys = isPrivileged(container) ? "rw" : "ro";
    return [
        pod.spec?.hostPID ? bind("/proc", "/proc", "rbind") : mount("/proc", "proc"),
        mount("/dev", "tmpfs", "nosuid", "mode=755"),
        mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
        mount("/dev/shm", "tmpfs", "nosuid", "nodev", "mode=1777"),
        mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        mount("/sys", "sysfs", "nosuid", "noexec", "nodev", sys),
        // Empty as in an image: on the machine these hold files and sockets of other labs, and a user's home.
        mount("/tmp", "tmpfs", "mode=1777"),
        mount("/run", "tmpfs", "mode=755"),
        mount("/root", "tmpfs", "mode=755"),
        bind(cache, cache, "rbind", "ro"),
        ...Object.entries(program.files).map(([path, file]) => bind(path, file, "rbind", "ro")),
        ...Object.entries(program.shared).map(([path, folder]) => bind(path, folder, "rbind", "rw")),
        ...Object.entries(program.folders).map(([path, folder], index) => overlay(path, folder, `${layer}/folder${index}`)),
        ...Object.entries(files).map(([path, file]) => bind(path, file, "bind")),
    ];
}

function volumeMounts({ container, volumes, environment }: BundleInput): OciMount[] {
    const mounts = container.volumeMounts ?? [];
    // A nested mount must come after the mount that contains it.
    const ordered = mounts.toSorted((a, b) => a.mountPath.split("/").length - b.mountPath.split("/").length);
    return ordered.map((mount) => {
        const folder = volumes[mount.name];
        if (folder === undefined) throw new Error(`container ${container.name} mounts volume ${mount.name}, which the pod does not have`);
        const part = mount.subPathExpr ? expand(mount.subPathExpr, environment) : (mount.subPath ?? "");
        return bind(mount.mountPath, posix.join(folder, part), "rbind", mount.readOnly ? "ro" : "rw", propagation(mount));
    });
}

function overlay(destination: string, lower: string, layer: string): OciMount {
    const options = [`lowerdir=${lower}`, `upperdir=${layer}/upper`, `workdir=${layer}/work`];
    return { destination, type: "overlay", source: "overlay", options };
}

function bind(destination: string, source: string, ...options: string[]): OciMount {
    return { destination, type: "bind", source, options };
}

function propagation({ mountPropagation }: V1VolumeMount): string {
    return { Bidirectional: "rshared", HostToContainer: "rslave" }[mountPropagation ?? ""] ?? "rprivate";
}
