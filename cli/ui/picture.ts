import { stripVTControlCharacters, styleText } from "node:util";
import { describeUrn, type Progress, type Work } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** A stack to draw. */
export interface StackPicture {
    stack: string;
    /** Undefined: not started. */
    progress?: Progress;
    /** Number of resources that the stack will have processed in the end, as far as known. */
    total?: number | undefined;
}

/** What a type of resource waits for, and how long that usually takes. Shown while the resource has no status message. */
const WAITS: Record<string, string> = {
    // Amazon EKS announcement of March 2021: "9 minutes or less on average"; users report up to 14.
    "aws:eks/cluster:Cluster": "EKS creates the control plane: 9 to 14 minutes",
    "aws:eks/nodeGroup:NodeGroup": "EC2 starts the nodes, and they join the cluster",
    "aws:eks/addon:Addon": "EKS rolls out the add-on",
    "aws:ec2/natGateway:NatGateway": "EC2 creates the gateway",
    "aws:lb/loadBalancer:LoadBalancer": "ELB creates the load balancer",
    "aws:ec2transitgateway/transitGateway:TransitGateway": "EC2 creates the Transit Gateway",
    "kubernetes:helm.sh/v3:Release": "Helm waits for Cilium's pods to be ready",
    "kubernetes:apps/v1:DaemonSetPatch": "agents restart, two nodes at a time",
    "command:local:Command": "every agent must see the other clusters",
};

/**
 * Draws the progress: a line for each stack, and below it the resources in flight, the longest-running first, as many as fit. Pure.
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
    // One line less than the terminal has: the cursor is below the last one.
    let room = Math.max(0, rows - 1 - stacks.length);
    const running = stacks.filter(({ progress }) => progress && progress.active.size > 0).length;
    const share = running > 0 ? Math.max(1, Math.floor(room / running)) : 0;
    return stacks
        .flatMap(({ stack, progress, total }) => {
            const head = [paint("bold", stack.padEnd(width)), ...stackSummary(progress, total, now, paint)].join("  ");
            const active = [...(progress?.active.values() ?? [])].toSorted((a, b) => a.since - b.since);
            const lineCount = Math.min(share, room, active.length);
            room -= lineCount;
            const shown = lineCount < active.length ? lineCount - 1 : lineCount;
            const lines = active.slice(0, Math.max(0, shown)).map((work) => `  ${workLine(work, now)}`);
            const left = active.length - lines.length;
            return [head, ...lines, ...(left > 0 && lineCount > 0 ? [`  ... and ${left} more`] : [])];
        })
        .map((line) => clip(line, columns));
}

function stackSummary(
    progress: Progress | undefined,
    total: number | undefined,
    now: number,
    paint: (style: "red" | "green" | "dim", text: string) => string,
): string[] {
    if (!progress) return [paint("dim", "waiting")];
    const { began = now, ended, done, seen, failed, broken, active } = progress;
    const expected = total === undefined || ended !== undefined ? "" : `/${Math.max(total, seen.size + active.size)}`;
    return [
        `${seen.size}${expected} resources`.padEnd(17),
        clock((ended ?? now) - began).padStart(6),
        ...(failed.length > 0 ? [paint("red", `${failed.length} failed`)] : []),
        ...(ended === undefined ? [] : [broken ? paint("red", "✖") : paint("green", "✓")]),
        ...(done > 0 ? [paint("dim", `${done} changed`)] : []),
    ];
}

function workLine({ urn, op, since, status }: Work, now: number): string {
    const resource = describeUrn(urn);
    const reason = status ?? WAITS[resource.split(" ", 1)[0] ?? ""];
    return `${clock(now - since).padStart(6)}  ${op} ${resource}${reason ? `: ${reason}` : ""}`;
}

/** "5 s", "12:05", "1:00:07". */
function clock(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return `${whole} s`;
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const [first, ...rest] = parts[0] === 0 ? parts.slice(1) : parts;
    return [first, ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}

/** Cuts a line to the width; color codes take no room. A line that wraps would count as one when the picture is redrawn. */
function clip(line: string, columns: number): string {
    const bare = stripVTControlCharacters(line);
    return bare.length <= columns ? line : `${bare.slice(0, Math.max(0, columns - 1))}…`;
}
