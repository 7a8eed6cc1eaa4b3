import { beforeAll, describe, expect, test } from "vitest";
import { type ClusterConfig, parseConfig } from "../../core/settings/parse.ts";
import { clusterStack } from "../../stacks/cluster.ts";
import { ofType, only, type Program, type Registered, run } from "./harness.ts";

const settings = {
    kind: "cluster",
    name: "cluster1",
    id: 1,
    region: "eu-central-1",
    vpcCidr: "10.248.0.0/18",
    endpoint: { publicCidrs: ["203.0.113.0/24"] },
};

async function deploy(overrides: object = {}): Promise<Program<Record<string, unknown>>> {
    const { config, problems } = parseConfig({ ...settings, ...overrides }, "organization/clustermesh");
    expect(problems).toEqual([]);
    return run(() => clusterStack(config as ClusterConfig) as unknown as Promise<Record<string, unknown>>, { stack: "cluster1" });
}

/** Whether `later` depends on `earlier`: directly, through its parents, or through other dependencies. */
function waitsFor(resources: readonly Registered[], later: Registered, earlier: Registered, seen = new Set<string>()): boolean {
    const key = (resource: Registered) => `${resource.type} ${resource.name}`;
    const before = [...later.dependsOn, later.parent].filter((name) => !seen.has(name));
    for (const name of before) seen.add(name);
    if (before.includes(key(earlier))) return true;
    return resources.filter((resource) => before.includes(key(resource))).some((resource) => waitsFor(resources, resource, earlier, seen));
}

describe("a cluster with the defaults", () => {
    let program: Program<Record<string, unknown>>;
    let resources: Registered[];
    beforeAll(async () => {
        program = await deploy();
        resources = program.resources;
    });

    test("creates these resources", () => {
        const count: Record<string, number> = {};
        for (const { type } of resources) count[type] = (count[type] ?? 0) + 1;
        expect(count).toMatchInlineSnapshot(`
          {
            "aws:autoscaling/attachment:Attachment": 1,
            "aws:cloudwatch/logGroup:LogGroup": 2,
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": 1,
            "aws:ec2/eip:Eip": 3,
            "aws:ec2/flowLog:FlowLog": 1,
            "aws:ec2/internetGateway:InternetGateway": 1,
            "aws:ec2/launchTemplate:LaunchTemplate": 1,
            "aws:ec2/natGateway:NatGateway": 3,
            "aws:ec2/route:Route": 4,
            "aws:ec2/routeTable:RouteTable": 4,
            "aws:ec2/routeTableAssociation:RouteTableAssociation": 6,
            "aws:ec2/securityGroup:SecurityGroup": 1,
            "aws:ec2/subnet:Subnet": 6,
            "aws:ec2/subnetCidrReservation:SubnetCidrReservation": 3,
            "aws:ec2/vpc:Vpc": 1,
            "aws:eks/addon:Addon": 1,
            "aws:eks/nodeGroup:NodeGroup": 1,
            "aws:iam/role:Role": 2,
            "aws:iam/rolePolicy:RolePolicy": 1,
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment": 3,
            "aws:kms/key:Key": 1,
            "aws:lb/listener:Listener": 1,
            "aws:lb/loadBalancer:LoadBalancer": 1,
            "aws:lb/targetGroup:TargetGroup": 1,
            "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": 1,
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": 1,
            "clustermesh:index:Cilium": 1,
            "clustermesh:index:Eks": 1,
            "clustermesh:index:EtcdEndpoint": 1,
            "clustermesh:index:EtcdTls": 1,
            "clustermesh:index:Network": 1,
            "eks:index:Cluster": 1,
            "kubernetes:core/v1:ConfigMap": 1,
            "kubernetes:core/v1:Secret": 4,
            "kubernetes:helm.sh/v3:Release": 1,
            "pulumi:providers:aws": 1,
            "pulumi:providers:kubernetes": 1,
            "tls:index/certRequest:CertRequest": 4,
            "tls:index/locallySignedCert:LocallySignedCert": 4,
            "tls:index/privateKey:PrivateKey": 5,
            "tls:index/selfSignedCert:SelfSignedCert": 1,
          }
        `);
    });

    test("groups them in these components", () => {
        const components = ["Network", "Eks", "EtcdTls", "Cilium", "EtcdEndpoint"].map((name) =>
            only(resources, `clustermesh:index:${name}`),
        );
        for (const { parent } of components) expect(parent).toBe("");
        const roots = resources.filter(
            ({ parent, type }) => parent === "" && !type.startsWith("clustermesh:") && !type.startsWith("pulumi:providers:"),
        );
        // The key is shared by several components, and the add-on depends on several.
        expect(roots.map(({ type, name }) => `${type} ${name}`)).toEqual([
            "aws:eks/addon:Addon cluster1-coredns",
            "aws:kms/key:Key cluster1",
        ]);
    });

    test("uses explicit providers only, so region and account never come from the environment", () => {
        const cloud = resources.filter(({ type }) => /^(aws|eks|kubernetes):/.test(type));
        for (const { type, provider } of cloud) expect(provider).toBe(type.startsWith("kubernetes:") ? "kubernetes" : "aws");
        expect(only(resources, "pulumi:providers:aws").inputs).toMatchObject({ region: "eu-central-1" });
        expect(only(resources, "pulumi:providers:kubernetes")).toMatchObject({
            inputs: {
                enableSecretMutable: "true",
                enableConfigMapMutable: "true",
                clusterIdentifier: expect.stringContaining("cluster/cluster1"),
            },
            secrets: ["kubeconfig"],
        });
    });

    test("creates the subnets of the VPC's split, each with a default route", () => {
        const subnets = ofType(resources, "aws:ec2/subnet:Subnet").map(
            ({ name, inputs }) => `${name} ${inputs.cidrBlock} ${inputs.mapPublicIpOnLaunch}`,
        );
        expect(subnets).toMatchInlineSnapshot(`
          [
            "cluster1-private-eu-central-1a 10.248.0.0/20 false",
            "cluster1-private-eu-central-1b 10.248.16.0/20 false",
            "cluster1-private-eu-central-1c 10.248.32.0/20 false",
            "cluster1-public-eu-central-1a 10.248.48.0/24 false",
            "cluster1-public-eu-central-1b 10.248.49.0/24 false",
            "cluster1-public-eu-central-1c 10.248.50.0/24 false",
          ]
        `);
        const routes = ofType(resources, "aws:ec2/route:Route").map(
            ({ inputs }) => `${inputs.routeTableId} ${inputs.destinationCidrBlock} ${inputs.gatewayId ?? inputs.natGatewayId}`,
        );
        expect(routes).toMatchInlineSnapshot(`
          [
            "cluster1-private-eu-central-1a-id 0.0.0.0/0 cluster1-eu-central-1a-id",
            "cluster1-private-eu-central-1b-id 0.0.0.0/0 cluster1-eu-central-1b-id",
            "cluster1-private-eu-central-1c-id 0.0.0.0/0 cluster1-eu-central-1c-id",
            "cluster1-public-id 0.0.0.0/0 cluster1-id",
          ]
        `);
        expect(ofType(resources, "aws:ec2/routeTableAssociation:RouteTableAssociation")).toHaveLength(6);
        // A table with inline routes would remove the routes of the mesh at the next `up`.
        for (const { inputs } of ofType(resources, "aws:ec2/routeTable:RouteTable")) expect(inputs).not.toHaveProperty("routes");
        expect(program.outputs.routeTableIds).toHaveLength(ofType(resources, "aws:ec2/routeTable:RouteTable").length);
    });

    test("CKV2_AWS_12: the default security group has no rules", () => {
        const { inputs } = only(resources, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup");
        expect(inputs).not.toHaveProperty("ingress");
        expect(inputs).not.toHaveProperty("egress");
    });

    test("CKV2_AWS_11, CKV_AWS_158, CKV_AWS_338: flow logs and control-plane logs are encrypted and kept for a year", () => {
        only(resources, "aws:ec2/flowLog:FlowLog");
        for (const { inputs } of ofType(resources, "aws:cloudwatch/logGroup:LogGroup"))
            expect(inputs).toMatchObject({ retentionInDays: 365, kmsKeyId: "arn:aws:kms/key:Key:cluster1" });
    });

    test("CKV_AWS_7: the key is rotated", () =>
        expect(only(resources, "aws:kms/key:Key").inputs).toMatchObject({ enableKeyRotation: true }));

    test("creates the EKS cluster with these inputs", () => {
        expect(only(resources, "eks:index:Cluster").inputs).toMatchInlineSnapshot(`
          {
            "accessEntries": {},
            "authenticationMode": "API",
            "bootstrapSelfManagedAddons": false,
            "corednsAddonOptions": {
              "enabled": false,
              "resolveConflictsOnCreate": "OVERWRITE",
              "resolveConflictsOnUpdate": "OVERWRITE",
            },
            "createInstanceRole": false,
            "createOidcProvider": false,
            "enabledClusterLogTypes": [
              "api",
              "audit",
              "authenticator",
              "controllerManager",
              "scheduler",
            ],
            "encryptionConfigKeyArn": "arn:aws:kms/key:Key:cluster1",
            "endpointPrivateAccess": true,
            "endpointPublicAccess": true,
            "kubeProxyAddonOptions": {
              "resolveConflictsOnCreate": "OVERWRITE",
              "resolveConflictsOnUpdate": "OVERWRITE",
              "version": "v1.35.3-eksbuild.13",
            },
            "kubernetesServiceIpAddressRange": "172.20.0.0/16",
            "name": "cluster1",
            "privateSubnetIds": [
              "cluster1-private-eu-central-1a-id",
              "cluster1-private-eu-central-1b-id",
              "cluster1-private-eu-central-1c-id",
            ],
            "providerCredentialOpts": {},
            "publicAccessCidrs": [
              "203.0.113.0/24",
            ],
            "publicSubnetIds": [
              "cluster1-public-eu-central-1a-id",
              "cluster1-public-eu-central-1b-id",
              "cluster1-public-eu-central-1c-id",
            ],
            "skipDefaultNodeGroup": true,
            "skipDefaultSecurityGroups": true,
            "upgradePolicy": {
              "supportType": "STANDARD",
            },
            "version": "1.35",
            "vpcCniOptions": {
              "addonVersion": "v1.21.1-eksbuild.3",
              "enablePrefixDelegation": true,
              "eniMtu": 8500,
              "externalSnat": true,
              "resolveConflictsOnCreate": "OVERWRITE",
              "resolveConflictsOnUpdate": "OVERWRITE",
              "warmPrefixTarget": 1,
            },
            "vpcId": "cluster1-id",
          }
        `);
    });

    test("CKV_AWS_79, CKV_AWS_341: pods cannot use the nodes' credentials, and disks are encrypted", () => {
        expect(only(resources, "aws:ec2/launchTemplate:LaunchTemplate").inputs).toMatchObject({
            metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
            blockDeviceMappings: [{ ebs: { volumeSize: 50, encrypted: "true", volumeType: "gp3" } }],
        });
    });

    test("nodes are private, run AL2023, and accept no workloads until Cilium runs", () => {
        expect(only(resources, "aws:eks/nodeGroup:NodeGroup").inputs).toMatchObject({
            amiType: "AL2023_x86_64_STANDARD",
            instanceTypes: ["m7i.large"],
            subnetIds: ["a", "b", "c"].map((zone) => `cluster1-private-eu-central-1${zone}-id`),
            taints: [{ key: "node.cilium.io/agent-not-ready", value: "true", effect: "NO_EXECUTE" }],
            scalingConfig: { minSize: 2, desiredSize: 3, maxSize: 6 },
            version: "1.35",
        });
    });

    test("Cilium comes from the public repository, after the four Secrets and the etcd users", () => {
        const release = only(resources, "kubernetes:helm.sh/v3:Release");
        expect(release.inputs).toMatchObject({
            name: "cilium",
            namespace: "kube-system",
            chart: "cilium",
            version: "1.20.2",
            repositoryOpts: { repo: "https://helm.cilium.io/" },
        });
        expect(release.inputs.values).toMatchObject({
            cluster: { name: "cluster1", id: 1 },
            MTU: 8500,
            ipam: { operator: { clusterPoolIPv4PodCIDRList: ["100.64.128.0/17"] } },
        });
        for (const needed of [...ofType(resources, "kubernetes:core/v1:Secret"), only(resources, "kubernetes:core/v1:ConfigMap")])
            expect(waitsFor(resources, release, needed)).toBe(true);
        expect(only(resources, "kubernetes:core/v1:ConfigMap").inputs).toMatchObject({
            metadata: { name: "clustermesh-remote-users" },
            data: { "users.yaml": "users: []\n" },
        });
    });

    test("creates resources in dependency order, and destroys the network last", () => {
        const [cluster, nodes, release] = [
            only(resources, "eks:index:Cluster"),
            only(resources, "aws:eks/nodeGroup:NodeGroup"),
            only(resources, "kubernetes:helm.sh/v3:Release"),
        ];
        const order = (later: Registered, earlier: Registered) => waitsFor(resources, later, earlier);
        // The component holds the VPC CNI add-on.
        expect(order(nodes, cluster)).toBe(true);
        // In parallel: neither becomes ready without the other.
        expect(order(release, nodes)).toBe(false);
        expect(order(nodes, release)).toBe(false);
        const coredns = only(resources, "aws:eks/addon:Addon");
        expect(order(coredns, release)).toBe(true);
        expect(order(coredns, nodes)).toBe(true);
        // Destroy runs in reverse order, so everything that needs the network is deleted before it.
        const network = [
            ...ofType(resources, "aws:ec2/natGateway:NatGateway"),
            ...ofType(resources, "aws:ec2/route:Route"),
            ...ofType(resources, "aws:ec2/routeTableAssociation:RouteTableAssociation"),
        ];
        for (const part of network) for (const later of [cluster, nodes, release, coredns]) expect(order(later, part)).toBe(true);
    });

    test("the etcd's load balancer is internal, with a fixed and reserved address in every zone", () => {
        const { inputs } = only(resources, "aws:lb/loadBalancer:LoadBalancer");
        expect(inputs).toMatchObject({ internal: true, loadBalancerType: "network", enableCrossZoneLoadBalancing: true });
        expect(inputs.subnetMappings).toEqual([
            { subnetId: "cluster1-private-eu-central-1a-id", privateIpv4Address: "10.248.0.16" },
            { subnetId: "cluster1-private-eu-central-1b-id", privateIpv4Address: "10.248.16.16" },
            { subnetId: "cluster1-private-eu-central-1c-id", privateIpv4Address: "10.248.32.16" },
        ]);
        expect(ofType(resources, "aws:ec2/subnetCidrReservation:SubnetCidrReservation").map(({ inputs }) => inputs.cidrBlock)).toEqual([
            "10.248.0.16/28",
            "10.248.16.16/28",
            "10.248.32.16/28",
        ]);
        expect(program.outputs.etcd).toEqual({
            addresses: ["10.248.0.16", "10.248.16.16", "10.248.32.16"],
            port: 2379,
            securityGroupId: "cluster1-etcd-id",
        });
        // AWS allows six characters. A full name would be too long for clusters with a name of 32 characters.
        expect(String(inputs.namePrefix).length).toBeLessThanOrEqual(6);
    });

    test("the load balancer forwards 2379 to the NodePort of every node, and the nodes admit it", () => {
        expect(only(resources, "aws:lb/listener:Listener").inputs).toMatchObject({ port: 2379, protocol: "TCP" });
        expect(only(resources, "aws:lb/targetGroup:TargetGroup").inputs).toMatchObject({
            port: 32379,
            protocol: "TCP",
            targetType: "instance",
        });
        expect(only(resources, "aws:autoscaling/attachment:Attachment").inputs).toMatchObject({
            autoscalingGroupName: "cluster1-node-asg",
        });
        const port = { ipProtocol: "tcp", fromPort: 32379, toPort: 32379 };
        expect(only(resources, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs).toMatchObject({
            ...port,
            securityGroupId: "sg-eks-cluster1",
            referencedSecurityGroupId: "cluster1-etcd-id",
        });
        expect(only(resources, "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule").inputs).toMatchObject({
            ...port,
            securityGroupId: "cluster1-etcd-id",
            referencedSecurityGroupId: "sg-eks-cluster1",
        });
        const { values } = only(resources, "kubernetes:helm.sh/v3:Release").inputs as {
            values: { clustermesh: { apiserver: { service: object } } };
        };
        expect(values.clustermesh.apiserver.service).toMatchObject({ type: "NodePort", nodePort: 32379 });
    });

    test("CKV_AWS_23: every rule has a description", () => {
        for (const { type, inputs } of resources.filter(({ type }) => /SecurityGroup(In|E)gressRule$/.test(type)))
            expect(inputs.description, type).toMatch(/\w+/);
    });

    test("the only secret outputs are kubeconfig and client certificate, and no key is a plain output", () => {
        expect(program.secretOutputs).toEqual(["kubeconfig", "etcdClient"]);
        const plain = Object.entries(program.outputs).filter(([key]) => !program.secretOutputs.includes(key));
        expect(JSON.stringify(plain)).not.toMatch(/PRIVATE KEY|BEGIN CERT/);
        const ca = only(resources, "tls:index/selfSignedCert:SelfSignedCert").inputs.privateKeyPem;
        expect(ca).toMatch(/PRIVATE KEY/);
        expect(JSON.stringify(program.outputs)).not.toContain(JSON.stringify(ca).slice(1, -1));
    });

    test("every input with a private key is marked secret", () => {
        for (const { type, name, inputs, secrets } of resources) {
            for (const [path, value] of flatten(inputs)) {
                const text = /^[\w+/=]{200,}$/.test(value) ? Buffer.from(value, "base64").toString() : value;
                if (text.includes("PRIVATE KEY"))
                    expect(
                        secrets.some((secret) => path === secret || path.startsWith(`${secret}.`)),
                        `${type} ${name} ${path}`,
                    ).toBe(true);
            }
        }
        for (const { secrets } of ofType(resources, "kubernetes:core/v1:Secret")) expect(secrets).toEqual(["data"]);
    });
});

describe("settings", () => {
    test("public nodes need no NAT, have public addresses, and use no SNAT within private ranges", async () => {
        const { resources, outputs } = await deploy({ nat: "none", nodeGroup: { subnets: "public" } });
        expect(resources.filter(({ type }) => /NatGateway$|Eip$/.test(type))).toEqual([]);
        const nodes = only(resources, "aws:eks/nodeGroup:NodeGroup").inputs.subnetIds as string[];
        expect(nodes[0]).toBe("cluster1-public-eu-central-1a-id");
        expect(only(resources, "aws:ec2/subnet:Subnet", "cluster1-public-eu-central-1a").inputs).toMatchObject({
            cidrBlock: "10.248.0.0/20",
            mapPublicIpOnLaunch: true,
        });
        expect(only(resources, "eks:index:Cluster").inputs.vpcCniOptions).toMatchObject({
            externalSnat: false,
            configurationValues: { env: { AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10" } },
        });
        expect(outputs.etcd).toMatchObject({ addresses: ["10.248.48.16", "10.248.49.16", "10.248.50.16"] });
    });

    test("a single NAT gateway serves all zones", async () => {
        const { resources } = await deploy({ nat: "single" });
        only(resources, "aws:ec2/natGateway:NatGateway");
        expect(
            ofType(resources, "aws:ec2/route:Route").filter(({ inputs }) => inputs.natGatewayId === "cluster1-eu-central-1a-id"),
        ).toHaveLength(3);
    });

    test("named zones, no public endpoint, an existing key, a role, admins, arm64, a chart from a registry, KVStoreMesh", async () => {
        const { resources, outputs } = await deploy({
            zones: ["eu-central-1b", "eu-central-1c"],
            endpoint: {},
            kmsKeyArn: "arn:aws:kms:eu-central-1:111111111111:key/own",
            assumeRole: "arn:aws:iam::222222222222:role/deploy",
            admins: ["arn:aws:iam::222222222222:role/mesh"],
            nodeGroup: { architecture: "arm64", diskGiB: 100 },
            cilium: { chart: "oci://quay.io/cilium/charts/cilium", kvstoreMesh: true, privileged: true },
            tags: { team: "platform" },
        });
        expect(resources.filter(({ type }) => type === "aws:kms/key:Key")).toEqual([]);
        const cluster = only(resources, "eks:index:Cluster").inputs;
        expect(cluster).toMatchObject({
            endpointPublicAccess: false,
            endpointPrivateAccess: true,
            encryptionConfigKeyArn: expect.stringContaining("key/own"),
            providerCredentialOpts: { roleArn: "arn:aws:iam::222222222222:role/deploy" },
        });
        expect(cluster).not.toHaveProperty("publicAccessCidrs");
        expect(Object.keys(cluster.accessEntries as object)).toEqual(["arn:aws:iam::222222222222:role/mesh"]);
        expect(only(resources, "pulumi:providers:aws").inputs).toMatchObject({
            assumeRoles: expect.stringContaining("role/deploy"),
            defaultTags: expect.stringContaining("platform"),
        });
        expect(only(resources, "aws:eks/nodeGroup:NodeGroup").inputs).toMatchObject({
            amiType: "AL2023_ARM_64_STANDARD",
            instanceTypes: ["m7g.large"],
        });
        const release = only(resources, "kubernetes:helm.sh/v3:Release").inputs;
        expect(release.chart).toBe("oci://quay.io/cilium/charts/cilium");
        expect(release).not.toHaveProperty("repositoryOpts");
        expect(release.values).toMatchObject({
            clustermesh: { apiserver: { kvstoremesh: { enabled: true } } },
            securityContext: { privileged: true },
        });
        expect(outputs).toMatchObject({
            wiring: "kvstoremesh",
            assumeRole: "arn:aws:iam::222222222222:role/deploy",
            attachmentSubnetIds: ["cluster1-private-eu-central-1b-id", "cluster1-private-eu-central-1c-id"],
        });
        expect(outputs.kubeconfig).toContain('"--role-arn","arn:aws:iam::222222222222:role/deploy"');
    });

    test("the settings that the mesh depends on are published", async () => {
        const { outputs } = await deploy({
            id: 7,
            mtu: 9001,
            serviceCidr: "172.16.0.0/16",
            kubernetesVersion: "1.34",
            cilium: { version: "1.20.1", poolCidr: "100.80.0.0/17" },
        });
        expect(outputs).toMatchObject({
            name: "cluster1",
            id: 7,
            region: "eu-central-1",
            kubernetesVersion: "1.34",
            ciliumVersion: "1.20.1",
            datapath: "aws-cni",
            maxConnectedClusters: 255,
            wiring: "direct",
            mtu: 9001,
            vpcCidrs: ["10.248.0.0/18"],
            serviceCidr: "172.16.0.0/16",
            ciliumPoolCidr: "100.80.0.0/17",
        });
        expect(outputs).not.toHaveProperty("assumeRole");
    });

    test("refuses more zones than the region has, and lists them", async () => {
        const { config } = parseConfig({ ...settings, vpcCidr: "10.0.0.0/16", zones: 5 }, "organization/clustermesh");
        await expect(run(() => clusterStack(config as ClusterConfig), { stack: "cluster1" })).rejects.toThrow(
            "Pulumi.cluster1.yaml is invalid:\n✖ zones must be at most 4 in eu-central-1, which has only eu-central-1a, eu-central-1b, eu-central-1c, eu-central-1d; got 5",
        );
    });
});

function flatten(value: unknown, path: string[] = []): [path: string, value: string][] {
    if (typeof value === "string") return [[path.join("."), value]];
    return typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => flatten(inner, [...path, key]))
        : [];
}
