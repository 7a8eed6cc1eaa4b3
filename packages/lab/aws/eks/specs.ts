import type { Instance } from "../autoscaling.ts";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";
import { type Addon, type Cluster, nodegroups, type Taint } from "./tables.ts";

/** A cluster that an `EksBackend` creates, updates or deletes. */
export interface ClusterSpec extends Place {
    name: string;
    arn: string;
    version: string;
    vpcId: string;
    /** Security group of the API server's interfaces. */
    securityGroupId: string;
    serviceCidr: string;
}

/** How to reach a cluster that has been created. */
export interface ClusterConnection {
    endpoint: string;
    /** PEM, encoded in base64. */
    certificateAuthority: string;
}

/** An EC2 instance of a node group that joins a cluster as a node, or leaves it. */
export interface InstanceNode extends Place {
    cluster: string;
    nodegroup: string;
    instanceId: string;
    /** Name of the node in Kubernetes. */
    name: string;
    address: string;
    interfaceId: string;
    subnetId: string;
    zone: string;
    instanceType: string;
    /** Version of its kubelet. */
    version: string;
    labels: Record<string, string>;
    taints: Taint[];
    /** Prefixes from which its pods get their addresses. */
    podPrefixes: string[];
}

/** An add-on that an `EksBackend` creates, changes or deletes. */
export interface AddonSpec extends Place {
    cluster: string;
    name: string;
    version: string;
    /** JSON. */
    configurationValues: string | undefined;
}

export function clusterSpec({ account, region }: Scope, cluster: Readonly<Cluster>): ClusterSpec {
    const { name, arn, version, resourcesVpcConfig, kubernetesNetworkConfig } = cluster;
    return {
        account,
        region,
        name,
        arn,
        version,
        vpcId: resourcesVpcConfig.vpcId,
        securityGroupId: resourcesVpcConfig.clusterSecurityGroupId,
        serviceCidr: kubernetesNetworkConfig.serviceIpv4Cidr,
    };
}

export function instanceNode(scope: Scope, nodegroupKey: string, instance: Readonly<Instance>): InstanceNode {
    const nodegroup = nodegroups.in(scope).get(nodegroupKey);
    if (!nodegroup) throw new Error(`node group ${nodegroupKey} of instance ${instance.InstanceId} does not exist`);
    const { clusterName, nodegroupName, labels, taints, version, amiType } = nodegroup;
    return {
        account: scope.account,
        region: scope.region,
        cluster: clusterName,
        nodegroup: nodegroupName,
        instanceId: instance.InstanceId,
        name: instance.PrivateDnsName,
        address: instance.PrivateIpAddress,
        interfaceId: instance.NetworkInterfaceId,
        subnetId: instance.SubnetId,
        zone: instance.AvailabilityZone,
        instanceType: instance.InstanceType,
        version,
        labels: {
            "kubernetes.io/arch": amiType.includes("ARM") ? "arm64" : "amd64",
            "node.kubernetes.io/instance-type": instance.InstanceType,
            "topology.kubernetes.io/region": scope.region,
            "topology.kubernetes.io/zone": instance.AvailabilityZone,
            "eks.amazonaws.com/nodegroup": nodegroupName,
            "eks.amazonaws.com/capacityType": nodegroup.capacityType,
            ...labels,
        },
        taints,
        podPrefixes: instance.prefixes,
    };
}

export function addonSpec({ account, region }: Scope, addon: Readonly<Addon>): AddonSpec {
    const { clusterName, addonName, addonVersion, configurationValues } = addon;
    return { account, region, cluster: clusterName, name: addonName, version: addonVersion, configurationValues };
}
