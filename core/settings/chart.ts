import { relative, resolve } from "node:path";

/** Whether a chart comes from a repository or a registry, not from disk. */
export function isRemoteChart(chart: string): boolean {
    return /^(https?|oci):\/\//.test(chart);
}

/**
 * The chart as Helm finds it, which runs in the working directory of the program. Relative: an absolute path would be a diff on every other machine.
 *
 * @param folder folder of Pulumi.yaml, which `cilium.chart` is relative to
 */
export function chartLocation(chart: string, folder: string, workingDirectory = process.cwd()): string {
    if (isRemoteChart(chart) || resolve(folder) === workingDirectory) return chart;
    return relative(workingDirectory, resolve(folder, chart));
}
