import { relative } from "node:path";
import { z } from "zod";
import type { Scaffold } from "../../core/scaffold/mesh.ts";
import { columns } from "../../core/text/columns.ts";

/** What `init` and `add` report. */
export const ScaffoldReport = z.strictObject({
    version: z.literal(1),
    files: z.array(z.string()).describe("names of the files that were written"),
    clusters: z.array(z.strictObject({ stack: z.string(), region: z.string(), id: z.int(), vpcCidr: z.string() })),
    next: z.array(z.string()).describe("commands to run next"),
});
export type ScaffoldReport = z.infer<typeof ScaffoldReport>;

/** "clustermesh up", with --cwd where the folder is not the current one. */
export function commandIn(folder: string, command: string): string {
    const path = relative(process.cwd(), folder);
    return path === "" ? `clustermesh ${command}` : `clustermesh ${command} --cwd ${path}`;
}

export function clusterTable(clusters: Scaffold["clusters"]): string {
    const rows = clusters.map(({ stack, region, id, vpcCidr }) => [stack, `id ${id}`, region, vpcCidr]);
    return columns(rows, "  ");
}
