import { minor } from "../../../../core/versions.ts";
import { invalid, type LaunchTemplateRef, type ScalingConfig, type Taint } from "./tables.ts";

/** AMI types and their architecture. */
const AMI_TYPES: Record<string, "x86_64" | "arm64"> = {
    AL2023_x86_64_STANDARD: "x86_64",
    AL2023_ARM_64_STANDARD: "arm64",
    AL2023_x86_64_NEURON: "x86_64",
    AL2023_x86_64_NVIDIA: "x86_64",
    BOTTLEROCKET_x86_64: "x86_64",
    BOTTLEROCKET_ARM_64: "arm64",
    CUSTOM: "x86_64",
};
const EFFECTS = ["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"];

export function checkScaling({ minSize, maxSize, desiredSize }: ScalingConfig): void {
    if (minSize > maxSize) throw invalid(`Minimum capacity ${minSize} can't be greater than maximum size ${maxSize}`);
    if (minSize > desiredSize) throw invalid(`Minimum capacity ${minSize} can't be greater than desired size ${desiredSize}`);
    if (desiredSize > maxSize) throw invalid(`desired capacity ${desiredSize} can't be greater than max size ${maxSize}`);
    if (minSize < 0 || maxSize < 1) throw invalid("Minimum capacity can't be less than 0, and maximum size can't be less than 1");
}

/** The AMI type and the instance types must have the same architecture. */
export function checkInstanceTypes(amiType: string, instanceTypes: readonly string[]): void {
    const architecture = Object.hasOwn(AMI_TYPES, amiType) ? AMI_TYPES[amiType] : undefined;
    if (!architecture) throw invalid(`The amiType '${amiType}' is not one of [${Object.keys(AMI_TYPES).join(", ")}]`);
    for (const type of instanceTypes) {
        const [, letters] = /^[a-z]+\d+([a-z]*)(?:-[a-z0-9]+)?\.[a-z0-9-]+$/.exec(type) ?? [];
        if (letters === undefined) throw invalid(`[${type}] is not a valid instance type`);
        // Graviton families have a g after the number: m7g, c6gn.
        const actual = letters.startsWith("g") || type.startsWith("a1.") ? "arm64" : "x86_64";
        if (actual !== architecture && amiType !== "CUSTOM")
            throw invalid(`[${type}] is not a valid instance type for requested amiType ${amiType}`);
    }
}

export function checkTaints(taints: readonly Taint[]): void {
    for (const { key, effect } of taints) {
        if (!key || key.length > 317) throw invalid(`Taint key '${key}' is invalid`);
        if (!EFFECTS.includes(effect)) throw invalid(`Taint effect '${effect}' is invalid; it must be one of [${EFFECTS.join(", ")}]`);
    }
    if (new Set(taints.map(({ key, effect }) => `${key} ${effect}`)).size < taints.length)
        throw invalid("Taints must be unique by key and effect");
}

/** A kubelet must not be newer than its API server, and at most three minor versions older. */
export function checkSkew(nodes: string, cluster: string): void {
    const behind = minor(cluster) - minor(nodes);
    if (!(behind >= 0 && behind <= 3)) throw invalid(`Requested Nodegroup version ${nodes} is not supported by cluster version ${cluster}`);
}

/** A node group must not repeat settings of its launch template. */
export function checkTemplateUse(
    data: Record<string, unknown>,
    { diskSize, instanceTypes }: { diskSize?: number | undefined; instanceTypes?: string[] | undefined },
    { id, name }: LaunchTemplateRef,
): void {
    if ((id === undefined) === (name === undefined))
        throw invalid("Either the id or the name of a launch template must be specified, not both");
    if (diskSize !== undefined) throw invalid("Disk size must be specified within the launch template.");
    if (data.InstanceType !== undefined && instanceTypes !== undefined)
        throw invalid("Cannot specify instance types in launch template and API request");
    if (data.SubnetId !== undefined || data.IamInstanceProfile !== undefined)
        throw invalid(
            "Launch template should not specify a subnet or an instance profile. These are part of the node group's own configuration.",
        );
}
