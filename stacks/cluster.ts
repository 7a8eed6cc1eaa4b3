import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Cilium } from "../components/cilium.ts";
import { Eks } from "../components/eks.ts";
import { EtcdEndpoint } from "../components/etcd-endpoint.ts";
import { EtcdTls } from "../components/etcd-tls.ts";
import { Network } from "../components/network.ts";
import { answered, awsProvider, kubernetesProvider } from "../components/providers.ts";
import { ETCD_PORT } from "../core/cilium/clustermesh-config.ts";
import { ciliumValues, type HelmValues } from "../core/cilium/helm-values.ts";
import { decidedFacts, subnets } from "../core/facts/planned.ts";
import { CONTRACT_VERSION } from "../core/facts/schema.ts";
import type { ClusterConfig } from "../core/settings/parse.ts";
import { stackFile } from "../core/stack-names.ts";
import type { ClusterOutputs } from "./read-clusters.ts";

/** A cluster: VPC, EKS, Cilium and the endpoint of its etcd. Returns what the mesh stack reads. */
export async function clusterStack(config: ClusterConfig): Promise<ClusterOutputs> {
    const { name, region, assumeRole, cilium, nodeGroup } = config;
    const provider = awsProvider("aws", { region, assumeRole }, { ...config.tags, "clustermesh:cluster": name });
    const onAws = { providers: [provider] };

    const file = stackFile(pulumi.getStack());
    const zones = await zoneNames(config, provider, file);
    const blocks = subnets(config);
    const identity = Promise.all([aws.getCallerIdentity({}, { provider }), aws.getPartition({}, { provider })]);
    const [{ accountId }, { partition }] = await answered("whose account this is", config, file, identity);
    const kmsKeyArn = config.kmsKeyArn ?? encryptionKey({ name, region, accountId, partition }, provider);

    const network = new Network(
        name,
        {
            cidr: config.vpcCidr,
            zones,
            subnets: blocks,
            nodes: nodeGroup.subnets,
            nat: config.nat,
            logRetentionDays: config.logs.retentionDays,
            kmsKeyArn,
        },
        onAws,
    );
    const eks = new Eks(
        name,
        {
            region,
            partition,
            assumeRole,
            version: config.kubernetesVersion,
            addons: config.addons,
            vpcId: network.vpcId,
            publicSubnetIds: network.publicSubnetIds,
            privateSubnetIds: network.privateSubnetIds,
            serviceCidr: config.serviceCidr,
            publicCidrs: config.endpoint.publicCidrs,
            admins: config.admins,
            logs: config.logs,
            kmsKeyArn,
            mtu: config.mtu,
            nodeGroup,
        },
        // The whole network, routes and gateways included: nodes need it to start, and at destroy to be drained.
        { ...onAws, dependsOn: network },
    );

    const onKubernetes = { providers: [kubernetesProvider("kubernetes", eks)], dependsOn: eks.cluster };
    const etcdTls = new EtcdTls(`${name}-etcd`, { clusterName: name }, onKubernetes);
    // Beside the nodes, not after them: neither gets ready without the other.
    const release = new Cilium(
        "cilium",
        {
            version: cilium.version,
            chart: cilium.chart,
            values: ciliumValues(
                {
                    name,
                    id: config.id,
                    poolCidr: cilium.poolCidr,
                    mtu: config.mtu,
                    kvstoreMesh: cilium.kvstoreMesh,
                    privileged: cilium.privileged,
                },
                cilium.values as HelmValues,
            ),
            secrets: etcdTls.secrets,
        },
        onKubernetes,
    ).release;
    new aws.eks.Addon(
        `${name}-coredns`,
        {
            clusterName: eks.cluster.eksCluster.name,
            addonName: "coredns",
            addonVersion: config.addons.coreDns,
            resolveConflictsOnCreate: "OVERWRITE",
            resolveConflictsOnUpdate: "OVERWRITE",
        },
        { provider, dependsOn: [release, eks.nodeGroup] },
    );

    const endpoint = new EtcdEndpoint(
        `${name}-etcd`,
        {
            vpcId: network.vpcId,
            subnets: network.privateSubnetIds.map((id, i) => ({ id, cidr: blocks.private[i] ?? "" })),
            nodeSecurityGroupId: eks.nodeSecurityGroupId,
            autoscalingGroupName: eks.autoscalingGroupName,
        },
        onAws,
    );

    return {
        ...decidedFacts(config),
        contract: CONTRACT_VERSION,
        accountId,
        clusterArn: eks.clusterArn,
        vpcId: network.vpcId,
        routeTableIds: pulumi.all(network.routeTableIds),
        attachmentSubnetIds: pulumi.all(network.privateSubnetIds),
        nodeSecurityGroupIds: pulumi.all([eks.nodeSecurityGroupId]),
        etcd: pulumi.output({ addresses: endpoint.addresses, port: ETCD_PORT, securityGroupId: endpoint.securityGroupId }),
        etcdCertificatesExpire: etcdTls.expire,
        kubeconfig: eks.kubeconfig,
        etcdClient: etcdTls.client,
    };
}

/** The zones that the stack file names, or the region's first ones. Local and wavelength zones cannot hold an EKS control plane. */
async function zoneNames(config: ClusterConfig, provider: aws.Provider, file: string): Promise<string[]> {
    const { zones, region } = config;
    if (typeof zones !== "number") return zones;
    const asked = aws.getAvailabilityZones(
        // EKS refuses these three (EKS user guide, "VPC and subnet considerations").
        {
            state: "available",
            filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
            excludeZoneIds: ["use1-az3", "usw1-az2", "cac1-az3"],
        },
        { provider },
    );
    const available = await answered("the availability zones", config, file, asked);
    if (available.names.length < zones) {
        throw new pulumi.RunError(
            `${file} cannot be used:\n✖ zones ${zones}: ${region} has only ${available.names.join(", ")}; ask for ${available.names.length}`,
        );
    }
    return available.names.slice(0, zones);
}

/** A key for Kubernetes secrets and the cluster's logs. Costs 1 USD a month. */
function encryptionKey(where: { name: string; region: string; accountId: string; partition: string }, provider: aws.Provider) {
    const { name, region, accountId, partition } = where;
    const allow = (Principal: object, Action: string | string[], Condition?: object) => ({
        Effect: "Allow",
        Principal,
        Action,
        Resource: "*",
        ...(Condition && { Condition }),
    });
    const key = new aws.kms.Key(
        name,
        {
            description: `secrets and logs of cluster ${name}`,
            enableKeyRotation: true,
            deletionWindowInDays: 7,
            policy: JSON.stringify({
                Version: "2012-10-17",
                Statement: [
                    allow({ AWS: `arn:${partition}:iam::${accountId}:root` }, "kms:*"),
                    allow(
                        { Service: `logs.${region}.amazonaws.com` },
                        ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                        {
                            ArnLike: {
                                "kms:EncryptionContext:aws:logs:arn": `arn:${partition}:logs:${region}:${accountId}:*`,
                            },
                        },
                    ),
                ],
            }),
        },
        { provider },
    );
    return key.arn;
}
