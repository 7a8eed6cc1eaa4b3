import { stripVTControlCharacters, styleText } from "node:util";
import { describeUrn, type Progress, type Work } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** A stack as it is drawn. */
export interface StackPicture {
    stack: string;
    /** None: it has not begun. */
    progress?: Progress;
    /** Resources that it will have looked at in the end, as far as that is known. */
    total?: number | undefined;
}

/** What a kind of resource waits for while it says nothing itself, and how long that usually takes. */
const WAITS: Record<string, string> = {
    // Amazon EKS announcement of March 2021: "9 minutes or less on average"; users tell of up to 14.
    "aws:eks/cluster:Cluster": "EKS makes the control plane: 9 to 14 minutes",
    "aws:eks/nodeGroup:NodeGroup": "EC2 starts nodes, which join the cluster",
    "aws:eks/addon:Addon": "EKS rolls the add-on out",
    "aws:ec2/natGateway:NatGateway": "EC2 makes the gateway",
    "aws:lb/loadBalancer:LoadBalancer": "ELB makes the load balancer",
    "aws:ec2transitgateway/transitGateway:TransitGateway": "EC2 makes the Transit Gateway",
    "kubernetes:helm.sh/v3:Release": "Helm waits until Cilium's pods are ready",
    "kubernetes:apps/v1:DaemonSetPatch": "agents restart, two nodes at a time",
    "command:local:Command": "agents see the other clusters",
};

/**
 * How the operations stand: a line for each stack, and below it the resources in flight, those that take longest first, as many as there is room for. Pure.
 *
 * @param now seconds since 1970
 */
export function picture(
    stacks: readonly StackPicture[],
    now: number,
    { columns, rows, color }: Pick<Terminal, "columns" | "rows" | "color">,
): string[] {
    const paint = (style: Parameters<typeof styleText>[0], text: string) =>
        color ? styleText(style, text, { validateStream: false }) : text;
    const width = Math.max(...stacks.map(({ stack }) => stack.length));
    // A line less than there is: the cursor stands below the last one.
    let room = Math.max(0, rows - 1 - stacks.length);
    const running = stacks.filter(({ progress }) => progress && progress.active.size > 0).length;
    const share = running > 0 ? Math.max(1, Math.floor(room / running)) : 0;
    return stacks
        .flatMap(({ stack, progress, total }) => {
            const head = [paint("bold", stack.padEnd(width)), ...stackWords(progress, total, now, paint)].join("  ");
            const active = [...(progress?.active.values() ?? [])].toSorted((a, b) => a.since - b.since);
            const mine = Math.min(share, room, active.length);
            room -= mine;
            const shown = mine < active.length ? mine - 1 : mine;
            const lines = active.slice(0, Math.max(0, shown)).map((work) => `  ${workLine(work, now)}`);
            const left = active.length - lines.length;
            return [head, ...lines, ...(left > 0 && mine > 0 ? [`  ... and ${left} more`] : [])];
        })
        .map((line) => clip(line, columns));
}

function stackWords(
    progress: Progress | undefined,
    total: number | undefined,
    now: number,
    paint: (style: "red" | "green" | "dim", text: string) => string,
): string[] {
    if (!progress) return [paint("dim", "waits")];
    const { began = now, ended, done, seen, failed, broken, active } = progress;
    const all = total === undefined || ended !== undefined ? "" : `/${Math.max(total, seen.size + active.size)}`;
    return [
        `${seen.size}${all} resources`.padEnd(17),
        clock((ended ?? now) - began).padStart(6),
        ...(failed.length > 0 ? [paint("red", `${failed.length} failed`)] : []),
        ...(ended === undefined ? [] : [broken ? paint("red", "✖") : paint("green", "✓")]),
        ...(done > 0 ? [paint("dim", `${done} changed`)] : []),
    ];
}

function workLine({ urn, op, since, says }: Work, now: number): string {
    const what = describeUrn(urn);
    const waits = says ?? WAITS[what.split(" ", 1)[0] ?? ""];
    return `${clock(now - since).padStart(6)}  ${op} ${what}${waits ? `: ${waits}` : ""}`;
}

/** "5 s", "12:05", "1:00:07". */
function clock(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return `${whole} s`;
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const [first, ...rest] = parts[0] === 0 ? parts.slice(1) : parts;
    return [first, ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}

/** As much of a line as fits; colour codes take no room. A line that wraps would be counted as one when the picture is drawn over. */
function clip(line: string, columns: number): string {
    const bare = stripVTControlCharacters(line);
    return bare.length <= columns ? line : `${bare.slice(0, Math.max(0, columns - 1))}…`;
}
