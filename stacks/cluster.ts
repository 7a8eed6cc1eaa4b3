import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Cilium } from "../components/cilium.ts";
import { Eks } from "../components/eks.ts";
import { EtcdEndpoint } from "../components/etcd-endpoint.ts";
import { EtcdTls } from "../components/etcd-tls.ts";
import { Network } from "../components/network.ts";
import { awsProvider, kubernetesProvider, queryAws } from "../components/providers.ts";
import { ETCD_PORT } from "../core/cilium/clustermesh-config.ts";
import { ciliumValues, type HelmValues } from "../core/cilium/helm-values.ts";
import { decidedFacts, subnets } from "../core/facts/planned.ts";
import { CONTRACT_VERSION } from "../core/facts/schema.ts";
import { chartLocation } from "../core/settings/chart.ts";
import type { ClusterConfig } from "../core/settings/parse.ts";
import { stackFile } from "../core/stack-names.ts";
import { problemList } from "../core/text/problems.ts";
import { projectFolder } from "./project-folder.ts";
import type { ClusterOutputs } from "./read-clusters.ts";

/** Where the cluster's AWS resources are created. */
interface AwsTarget {
    provider: aws.Provider;
    accountId: string;
    partition: string;
    /** Names of the availability zones. */
    zones: string[];
}

/** A cluster: VPC, EKS, Cilium and the endpoint of its etcd. Returns what the mesh stack reads. */
export async function clusterStack(config: ClusterConfig): Promise<ClusterOutputs> {
    const target = await awsTarget(config);
    const kmsKeyArn = config.kmsKeyArn ?? encryptionKey(config, target);

    const network = clusterNetwork(config, target, kmsKeyArn);
    const eks = eksCluster(config, target, network, kmsKeyArn);
    const onKubernetes = { providers: [kubernetesProvider("kubernetes", eks)], dependsOn: eks.cluster };
    const etcdTls = new EtcdTls(`${config.name}-etcd`, { clusterName: config.name }, onKubernetes);
    // In parallel with the nodes, not after them: neither becomes ready without the other.
    const cilium = ciliumRelease(config, etcdTls, onKubernetes);
    coreDns(config, target, eks, cilium);
    const endpoint = etcdEndpoint(config, target, network, eks);

    return {
        ...decidedFacts(config),
        contract: CONTRACT_VERSION,
        accountId: target.accountId,
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

/** The provider, and what AWS alone knows about the account and region. */
async function awsTarget(config: ClusterConfig): Promise<AwsTarget> {
    const { name, region, assumeRole, tags } = config;
    const provider = awsProvider("aws", { region, assumeRole }, { ...tags, "clustermesh:cluster": name });
    const file = stackFile(pulumi.getStack());
    const zones = await zoneNames(config, provider, file);
    const identity = Promise.all([aws.getCallerIdentity({}, { provider }), aws.getPartition({}, { provider })]);
    const [{ accountId }, { partition }] = await queryAws("the account id", config, file, identity);
    return { provider, accountId, partition, zones };
}

/** The zones that the stack file names, or the first ones of the region. Local and Wavelength zones cannot host an EKS control plane. */
async function zoneNames(config: ClusterConfig, provider: aws.Provider, file: string): Promise<string[]> {
    const { zones, region } = config;
    if (typeof zones !== "number") return zones;
    const query = aws.getAvailabilityZones(
        // EKS does not support these three zones (EKS user guide, "VPC and subnet considerations").
        {
            state: "available",
            filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
            excludeZoneIds: ["use1-az3", "usw1-az2", "cac1-az3"],
        },
        { provider },
    );
    const { names } = await queryAws("the availability zones", config, file, query);
    if (names.length < zones) {
        const problem = `zones must be at most ${names.length} in ${region}, which has only ${names.join(", ")}; got ${zones}`;
        throw new pulumi.RunError(`${file} is invalid:\n${problemList([problem])}`);
    }
    return names.slice(0, zones);
}

function clusterNetwork(config: ClusterConfig, { provider, zones }: AwsTarget, kmsKeyArn: pulumi.Input<string>): Network {
    const { name, vpcCidr, nodeGroup, nat, logs } = config;
    const args = {
        cidr: vpcCidr,
        zones,
        subnets: subnets(config),
        nodes: nodeGroup.subnets,
        nat,
        logRetentionDays: logs.retentionDays,
        kmsKeyArn,
    };
    return new Network(name, args, { providers: [provider] });
}

function eksCluster(config: ClusterConfig, { provider, partition }: AwsTarget, network: Network, kmsKeyArn: pulumi.Input<string>): Eks {
    const { name, region, assumeRole, addons, serviceCidr, admins, logs, mtu, nodeGroup } = config;
    return new Eks(
        name,
        {
            region,
            partition,
            assumeRole,
            version: config.kubernetesVersion,
            addons,
            vpcId: network.vpcId,
            publicSubnetIds: network.publicSubnetIds,
            privateSubnetIds: network.privateSubnetIds,
            serviceCidr,
            publicCidrs: config.endpoint.publicCidrs,
            admins,
            logs,
            kmsKeyArn,
            mtu,
            nodeGroup,
        },
        // The whole network, including routes and gateways: nodes need it to start, and to be drained at destroy.
        { providers: [provider], dependsOn: network },
    );
}

function ciliumRelease({ name, id, mtu, cilium }: ClusterConfig, { secrets }: EtcdTls, opts: pulumi.ComponentResourceOptions) {
    const { version, chart, poolCidr, kvstoreMesh, privileged } = cilium;
    const values = ciliumValues({ name, id, poolCidr, mtu, kvstoreMesh, privileged }, cilium.values as HelmValues);
    return new Cilium("cilium", { version, chart: chartLocation(chart, projectFolder()), values, secrets }, opts).release;
}

/** After Cilium and the nodes: its pods need both to start. */
function coreDns({ name, addons }: ClusterConfig, { provider }: AwsTarget, eks: Eks, cilium: pulumi.Resource): void {
    new aws.eks.Addon(
        `${name}-coredns`,
        {
            clusterName: eks.cluster.eksCluster.name,
            addonName: "coredns",
            addonVersion: addons.coreDns,
            resolveConflictsOnCreate: "OVERWRITE",
            resolveConflictsOnUpdate: "OVERWRITE",
        },
        { provider, dependsOn: [cilium, eks.nodeGroup] },
    );
}

function etcdEndpoint(config: ClusterConfig, { provider }: AwsTarget, network: Network, eks: Eks): EtcdEndpoint {
    const blocks = subnets(config).private;
    return new EtcdEndpoint(
        `${config.name}-etcd`,
        {
            vpcId: network.vpcId,
            subnets: network.privateSubnetIds.map((id, i) => ({ id, cidr: blocks[i] ?? "" })),
            nodeSecurityGroupId: eks.nodeSecurityGroupId,
            autoscalingGroupName: eks.autoscalingGroupName,
        },
        { providers: [provider] },
    );
}

/** A key for Kubernetes secrets and the cluster's logs. Costs 1 USD a month. */
function encryptionKey({ name, region }: ClusterConfig, { provider, accountId, partition }: AwsTarget): pulumi.Output<string> {
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
