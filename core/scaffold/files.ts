import { Document, isMap, isScalar, isSeq, type Pair, type Scalar, type YAMLMap } from "yaml";
import { SETTINGS_KEY } from "../settings/key.ts";

/** The JSON Schema of a stack file, relative to the repository or the package. */
export const STACK_SCHEMA = "schema/stack.schema.json";

/** The comment above a setting of a cluster's file, by path. Settings that are not listed get none. */
const CLUSTER_COMMENTS: Readonly<Record<string, string>> = {
    name: "Name of the cluster, for EKS and for Cilium. Must be unique in the mesh. Cannot be changed later.",
    id: "Cilium's cluster id, 1 to 127. Must be unique in the mesh. Cannot be changed later.",
    assumeRole: "IAM role to assume in the cluster's AWS account.",
    vpcCidr: "CIDR of the VPC. Nodes and pods get their addresses from it. Must not overlap any other cluster's. Cannot be changed later.",
    nat: "NAT gateways: zone (one per availability zone, for production), single (cheaper), or none (public nodes only).\nzone takes three Elastic IPs per cluster with the default of three zones; a new account has five per region.",
    serviceCidr: "CIDR of the Kubernetes services. Must not overlap any VPC of the mesh. Cannot be changed later.",
    kubernetesVersion: "Kubernetes minor version, in quotes.",
    "endpoint.publicCidrs":
        "Source CIDRs that may reach the API server over the internet. Narrow this to where Pulumi runs.\nRemove it to keep the API server private; Pulumi must then run within the VPC.",
    nodeGroup: "Instance types, number and placement of the nodes.",
    mtu: "Largest packet, in bytes. Peering between regions and Transit Gateways carry 8500.",
    "cilium.poolCidr": "Cilium takes a router address per node from this CIDR. Must not overlap any VPC, service or pool CIDR of the mesh.",
};

/** The same for a mesh's file. */
const MESH_COMMENTS: Readonly<Record<string, string>> = {
    clusters: "The cluster stacks of the mesh. `clustermesh join` and `clustermesh leave` edit this list.",
    network:
        "How VPCs are connected: peering (a connection per pair), or transit-gateway (from about ten clusters on; billed by the hour).",
};

/**
 * The text of a stack file, with a comment above each setting that has one.
 *
 * @param settings what goes under `clustermesh:stack`
 * @param schema path of the JSON Schema, relative to the file
 */
export function stackFileText(settings: { kind: "cluster" | "mesh" } & Record<string, unknown>, schema: string): string {
    const document = new Document({ config: { [SETTINGS_KEY]: settings } });
    const map = document.getIn(["config", SETTINGS_KEY]) as YAMLMap;
    annotate(map, settings.kind === "cluster" ? CLUSTER_COMMENTS : MESH_COMMENTS);
    inlineLists(map);
    return `# yaml-language-server: $schema=${schema}\n${document.toString({ lineWidth: 0, flowCollectionPadding: false })}`;
}

/**
 * The text of Pulumi.yaml.
 *
 * @param main path of the program, relative to the file
 * @param versionCheck path of scripts/node-version.mjs, relative to the program's folder, in which Pulumi starts Node
 */
export function projectFileText(name: string, main: string, versionCheck = "./scripts/node-version.mjs"): string {
    return `name: ${name}
description: ${PROJECT_DESCRIPTION}
runtime:
  name: nodejs
  options:
    # Node strips the types itself. Pulumi's own TypeScript loader does not support TypeScript 7.
    typescript: false
    # Reports a Node version that is too old. Relative to the program's folder.
    nodeargs: "--import ${versionCheck}"
main: ${JSON.stringify(main)}
`;
}

const PROJECT_DESCRIPTION = "Joins AWS EKS clusters into one Cilium Cluster Mesh";

/** A folder's name as the name of a Pulumi project, which may have letters, digits, "-", "_" and "."; at most 100 characters. */
export function projectNameOf(folderName: string): string {
    const name = folderName.replaceAll(/[^\w.-]+/g, "-").replaceAll(/^[-.]+|[-.]+$/g, "");
    return name.slice(0, 100) || "clustermesh";
}

function annotate(map: YAMLMap, comments: Readonly<Record<string, string>>, path: readonly string[] = []): void {
    for (const { key, value } of map.items as Pair<Scalar<string>>[]) {
        const at = [...path, key.value];
        const comment = comments[at.join(".")];
        if (comment) key.commentBefore = comment.replaceAll(/^/gm, " ");
        if (isMap(value)) annotate(value, comments, at);
    }
}

/** Lists of plain values on one line, as people write them. */
function inlineLists(map: YAMLMap): void {
    for (const { value } of map.items as Pair<Scalar, unknown>[]) {
        if (isMap(value)) inlineLists(value);
        else if (isSeq(value) && value.items.every((item) => isScalar(item))) value.flow = true;
    }
}
