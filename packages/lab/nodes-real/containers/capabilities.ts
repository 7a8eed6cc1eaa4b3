import type { V1Container } from "@kubernetes/client-node";

/** All Linux capabilities, indexed by their numbers. https://man7.org/linux/man-pages/man7/capabilities.7.html */
const ALL =
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE".split(
        " ",
    );

/** containerd's default for a container without a securityContext. */
const DEFAULT =
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(" ");

/** The capabilities of a container, without the prefix `CAP_`. */
export function capabilitiesOf({ securityContext }: V1Container): string[] {
    if (securityContext?.privileged) return ALL;
    const { add = [], drop = [] } = securityContext?.capabilities ?? {};
    const withoutPrefix = (names: readonly string[]) => names.map((name) => name.replace(/^CAP_/, ""));
    const base = add.includes("ALL") ? ALL : drop.includes("ALL") ? [] : DEFAULT;
    const dropped = new Set(withoutPrefix(drop));
    const wanted = new Set([...base.filter((name) => !dropped.has(name)), ...withoutPrefix(add)]);
    return ALL.filter((name) => wanted.has(name));
}

/**
 * The capabilities in the bounding set of a process.
 *
 * A machine that is itself a container may not have every capability to grant.
 *
 * @param status content of `/proc/<pid>/status`
 */
export function capabilitiesIn(status: string): ReadonlySet<string> {
    const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
    return new Set(ALL.filter((_, bit) => (mask >> BigInt(bit)) & 1n));
}
