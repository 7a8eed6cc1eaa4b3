import { instances } from "../aws/autoscaling.ts";
import { parseCidr } from "../aws/cidr.ts";
import { cidrBlocksOf, interfaces, natGateways, vpcs } from "../aws/ec2/tables.ts";
import { parseConfiguration } from "../aws/eks/addon-catalogue.ts";
import { addons, nodegroups } from "../aws/eks/tables.ts";
import type { Scope } from "../aws/scope.ts";
import { namespaceName, type Part } from "./plan.ts";

/** Where sources are translated: at NAT gateways, and at nodes whose VPC CNI is left to do so. */
export function planTranslations(scope: Scope, id: string): Part[] {
    const gateways = natGateways
        .in(scope)
        .list()
        .flatMap(({ State, NatGatewayAddresses: [own] }) => {
            if (State !== "available" || !own) return [];
            return translation(namespaceName(id, own.NetworkInterfaceId), "nat-gateway", "", own.PrivateIp);
        });
    const nodes = instances
        .in(scope)
        .list()
        .flatMap(({ AutoScalingGroupName, NetworkInterfaceId, PrivateIpAddress }) => {
            const eni = interfaces.in(scope).get(NetworkInterfaceId);
            const vpc = vpcs.in(scope).get(eni?.VpcId ?? "");
            const excluded = excludedBlocks(scope, AutoScalingGroupName);
            if (!eni || !vpc || !excluded) return [];
            const own = [...cidrBlocksOf(vpc), ...excluded].join(", ");
            return translation(namespaceName(id, NetworkInterfaceId), "vpc-cni", `ip daddr != { ${own} } `, PrivateIpAddress);
        });
    return [...gateways, ...nodes];
}

function translation(name: string, table: string, match: string, source: string): Part {
    const chain = [
        "chain postrouting {",
        // Before the chains of kube-proxy and Cilium, which would otherwise be first to say that a connection keeps its source.
        "    type nat hook postrouting priority srcnat - 1",
        `    oifname "eth0" ${match}snat to ${source} fully-random`,
        "}",
    ];
    return { namespace: { name, tables: { [table]: chain.join("\n") } } };
}

/**
 * The blocks, beside the VPC's own, to which the VPC CNI leaves packets of pods their source; undefined where it translates none.
 * As amazon-vpc-cni-k8s does, pkg/networkutils: AWS_VPC_K8S_CNI_EXTERNALSNAT is false unless said otherwise, and of AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS
 * what is no block is passed over.
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
