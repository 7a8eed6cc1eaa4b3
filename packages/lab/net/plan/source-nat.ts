import { instances } from "../../aws/autoscaling.ts";
import { parseCidr } from "../../aws/cidr.ts";
import { cidrBlocksOf, interfaces, natGateways, vpcs } from "../../aws/ec2/tables.ts";
import { parseConfiguration } from "../../aws/eks/addon-catalogue.ts";
import { addons, nodegroups } from "../../aws/eks/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { namespaceName, type Part } from "./plan.ts";

/** Source NAT: at NAT gateways, and at nodes whose VPC CNI is configured to translate. */
export function planSourceNat(scope: Scope, id: string): Part[] {
    const gateways = natGateways
        .in(scope)
        .list()
        .flatMap(({ State, NatGatewayAddresses: [address] }) => {
            if (State !== "available" || !address) return [];
            return sourceNat(namespaceName(id, address.NetworkInterfaceId), "nat-gateway", "", address.PrivateIp);
        });
    const nodes = instances
        .in(scope)
        .list()
        .flatMap(({ AutoScalingGroupName, NetworkInterfaceId, PrivateIpAddress }) => {
            const eni = interfaces.in(scope).get(NetworkInterfaceId);
            const vpc = vpcs.in(scope).get(eni?.VpcId ?? "");
            const excluded = excludedBlocks(scope, AutoScalingGroupName);
            if (!eni || !vpc || !excluded) return [];
            const blocks = [...cidrBlocksOf(vpc), ...excluded].join(", ");
            return sourceNat(namespaceName(id, NetworkInterfaceId), "vpc-cni", `ip daddr != { ${blocks} } `, PrivateIpAddress);
        });
    return [...gateways, ...nodes];
}

function sourceNat(name: string, table: string, match: string, source: string): Part {
    const chain = [
        "chain postrouting {",
        // Must run before the chains of kube-proxy and Cilium, which would otherwise decide first that a connection keeps its source.
        "    type nat hook postrouting priority srcnat - 1",
        `    oifname "eth0" ${match}snat to ${source} fully-random`,
        "}",
    ];
    return { namespace: { name, tables: { [table]: chain.join("\n") } } };
}

/**
 * The blocks, in addition to the VPC's own, to which packets of pods keep their source address.
 *
 * As in amazon-vpc-cni-k8s (pkg/networkutils), AWS_VPC_K8S_CNI_EXTERNALSNAT defaults to false, and invalid blocks in AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS are
 * ignored.
 *
 * @returns undefined when the VPC CNI does not translate at all
 */
function excludedBlocks(scope: Scope, autoScalingGroup: string): string[] | undefined {
    const nodegroup = nodegroups
        .in(scope)
        .list()
        .find(({ resources }) => resources.autoScalingGroups.some(({ name }) => name === autoScalingGroup));
    const addon = addons.in(scope).get(`${nodegroup?.clusterName}/vpc-cni`);
    if (!addon) return undefined;
    const { env = {} } = parseConfiguration(addon.configurationValues ?? "") as { env?: Record<string, string> };
    if (env.AWS_VPC_K8S_CNI_EXTERNALSNAT === "true") return undefined;
    return (env.AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS ?? "").split(",").flatMap((block) => parseCidr(block.trim()) ?? []);
}
