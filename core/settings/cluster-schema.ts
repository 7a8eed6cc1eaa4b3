import { z } from "zod";
import { contains, defaultPool, POOL_PREFIX, POOL_RANGE, PRIVATE_RANGES, prefixLength } from "../network/cidr.ts";
import { quotedList } from "../text/list.ts";
import { ADDON_VERSIONS, type AddonVersions, CILIUM_RANGE, KUBERNETES_VERSIONS, supportsCilium } from "../versions.ts";
import { settingRegistry } from "./registry.ts";
import { Arn, Cidr, Tags } from "./types.ts";

/** Retention periods that CloudWatch accepts, in days (PutRetentionPolicy). */
const RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"] as const;

/** The instance type of a node group whose file names none, by CPU architecture. */
export const DEFAULT_INSTANCE_TYPES = { x86_64: "m7i.large", arm64: "m7g.large" } as const;

const NO_MOVE = "deploy another cluster instead";

const NodeGroup = z.strictObject({
    architecture: z.enum(["x86_64", "arm64"]).default("x86_64").register(settingRegistry, {
        description: "CPU architecture of the nodes and their image.",
        change: "replaces the node group",
    }),
    instanceTypes: z
        .array(z.string().regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, "must be an EC2 instance type, such as m7i.large"))
        .min(1)
        .optional()
        .register(settingRegistry, {
            description: "EC2 instance types, the preferred one first.",
            computedDefault: `${DEFAULT_INSTANCE_TYPES.x86_64}, or ${DEFAULT_INSTANCE_TYPES.arm64} on arm64`,
            change: "replaces the node group",
        }),
    min: z.int().min(0).default(2).register(settingRegistry, {
        description: "Minimum number of nodes.",
        change: "in place; AWS refuses a minimum above the current number of nodes, and any change can shrink a group that an autoscaler has grown (terraform-aws-eks 3306, 3521, 3683)",
    }),
    desired: z.int().min(1).default(3).register(settingRegistry, {
        description: "Number of nodes at creation. Afterwards an autoscaler may change it, and Pulumi does not change it back.",
        change: "ignored; only used at creation",
    }),
    max: z.int().min(1).default(6).register(settingRegistry, {
        description: "Maximum number of nodes.",
        change: "in place; any change can shrink a group that an autoscaler has grown (terraform-aws-eks 3306, 3521, 3683)",
    }),
    diskGiB: z.int().min(20).max(16384).default(50).register(settingRegistry, {
        description: "Size of a node's root disk in GiB (gp3, encrypted).",
        change: "in place; rolls the nodes",
    }),
    subnets: z
        .enum(["private", "public"])
        .default("private")
        .register(settingRegistry, {
            description: "Subnets of nodes and pods. Public nodes need no NAT gateway, but have internet addresses.",
            change: `never; it swaps the blocks of all subnets; ${NO_MOVE}`,
        }),
});

const Cilium = z.strictObject({
    version: z
        .string()
        .refine(supportsCilium, `must be a supported Cilium version (${CILIUM_RANGE}), such as 1.20.2`)
        .default("1.20.2")
        .register(settingRegistry, { description: "Version of Cilium and of its chart.", change: "in place; rolls the agents" }),
    chart: z.string().min(1).default("https://helm.cilium.io/").register(settingRegistry, {
        description:
            "Location of the chart: a repository (https://...), an OCI reference (oci://...), or a folder or .tgz on disk relative to Pulumi.yaml, for air-gapped environments.",
        change: "in place",
    }),
    poolCidr: Cidr.optional().register(settingRegistry, {
        description: "IPv4 block of the nodes' Cilium router addresses. Must not overlap any VPC or service block of the mesh.",
        computedDefault: `the id-th /${POOL_PREFIX} of ${POOL_RANGE}, such as ${defaultPool(1)} for id 1`,
        change: "never; Cilium does not support changing a pool that is in use (Cilium docs, cluster-pool IPAM)",
    }),
    kvstoreMesh: z.boolean().default(false).register(settingRegistry, {
        description: "Let the cluster's kvstoremesh connect to the peers instead of every agent. Recommended from about ten clusters on.",
        change: "in place; run `up` on the mesh stack afterwards, which rolls the agents",
    }),
    privileged: z.boolean().default(false).register(settingRegistry, {
        description: "Run the agents privileged instead of with the chart's list of capabilities.",
        change: "in place; rolls the agents",
    }),
    values: z.record(z.string(), z.unknown()).default({}).register(settingRegistry, {
        description:
            "Additional Helm values, merged last. Values that the mesh depends on are refused. Never put a secret here: Helm stores values in plain text.",
        change: "in place; values of the agents' pods roll the agents",
    }),
});

/** Settings of a cluster stack. */
export const ClusterSchema = z.strictObject({
    kind: z.literal("cluster").register(settingRegistry, {
        description: "Marks the stack of a cluster.",
        change: "never; a stack stays a cluster or a mesh",
    }),
    name: z
        .string()
        .max(32, "must be at most 32 characters long (Cilium's limit)")
        .regex(
            /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
            "must consist of lowercase letters, digits and '-', and start and end with a letter or digit",
        )
        .refine((name) => name !== "default", 'must not be "default", the name that Cilium gives clusters outside any mesh')
        .register(settingRegistry, {
            description: "Name of the EKS cluster and Cilium's cluster name. Unique in the mesh.",
            change: `never; it is part of every node, pod and identity; ${NO_MOVE}`,
        }),
    id: z
        .int()
        .min(1, "must be between 1 and 127")
        .max(
            127,
            "must be between 1 and 127: with the AWS VPC CNI, network policies drop allowed traffic of clusters with ids from 128 on (cilium#21330)",
        )
        .register(settingRegistry, {
            description: "Cilium's cluster id. Unique in the mesh.",
            change: `never; it is part of every identity; ${NO_MOVE}`,
        }),
    region: z
        .string()
        .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "must be an AWS region, such as eu-central-1")
        .register(settingRegistry, { description: "AWS region of the cluster.", change: `never; ${NO_MOVE}` }),
    assumeRole: Arn.optional().register(settingRegistry, {
        description: "ARN of a role to assume in the cluster's account.",
        computedDefault: "no role: the credentials that run Pulumi",
        change: "in place; the new role must belong to the same account, and must be listed in `admins` first",
    }),
    vpcCidr: Cidr.refine(
        (cidr) => PRIVATE_RANGES.some((range) => contains(range, cidr)),
        `must be within the private ranges ${PRIVATE_RANGES.join(", ")}`,
    )
        .refine((cidr) => prefixLength(cidr) >= 16, "must not be larger than a /16, the largest VPC that AWS supports")
        .register(settingRegistry, {
            description:
                "IPv4 block of the VPC. Nodes and pods get their addresses from it, so it must not overlap that of another cluster.",
            change: `never; it replaces the VPC; ${NO_MOVE}`,
        }),
    zones: z
        .union(
            [
                z.int().min(2, "must be at least 2: EKS needs two availability zones").max(6),
                z.array(z.string()).min(2, "must list at least two zones: EKS needs them").max(6),
            ],
            { error: "must be a number of availability zones or a list of their names, 2 to 6" },
        )
        .default(3)
        .register(settingRegistry, {
            description: "Availability zones: how many (the first ones of the region), or which.",
            change: `never; it moves every subnet; ${NO_MOVE}`,
        }),
    nat: z.enum(["zone", "single", "none"]).default("zone").register(settingRegistry, {
        description:
            "NAT gateways: one in each zone, a single one (cheaper, but if its zone fails all nodes lose internet access), or none.",
        change: "in place; open connections to the internet break",
    }),
    serviceCidr: Cidr.refine(
        (cidr) => PRIVATE_RANGES.slice(0, 3).some((range) => contains(range, cidr)),
        "must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (EKS requirement)",
    )
        .refine((cidr) => prefixLength(cidr) >= 12 && prefixLength(cidr) <= 24, "must be between /12 and /24 (EKS requirement)")
        .default("172.20.0.0/16")
        .register(settingRegistry, {
            description:
                "IPv4 block of Kubernetes Service addresses. Several clusters may use the same block, but it must not overlap any VPC of the mesh.",
            change: `never; it replaces the EKS cluster; ${NO_MOVE}`,
        }),
    kubernetesVersion: z
        .enum(KUBERNETES_VERSIONS, { error: `must be a supported Kubernetes version, in quotes: ${quotedList(KUBERNETES_VERSIONS)}` })
        .default("1.35")
        .register(settingRegistry, {
            description: "Kubernetes minor version, in quotes (YAML reads 1.30 as the number 1.3).",
            change: "in place; one minor at a time and never back; rolls the nodes",
        }),
    endpoint: z
        .strictObject({
            publicCidrs: z.array(Cidr).default([]).register(settingRegistry, {
                description:
                    "IPv4 blocks that may reach the API server over the internet. With an empty list it is reachable only from within the VPC, where Pulumi must then run.",
                change: "in place",
            }),
        })
        .prefault({})
        .register(settingRegistry, { description: "Access to the API server." }),
    admins: z.array(Arn).default([]).register(settingRegistry, {
        description:
            "ARNs of IAM roles or users that administer the cluster in addition to its creator, for example the role that runs the mesh stack.",
        change: "in place",
    }),
    nodeGroup: NodeGroup.prefault({}).register(settingRegistry, { description: "The managed node group." }),
    logs: z
        .strictObject({
            types: z
                .array(z.enum(LOG_TYPES))
                .default([...LOG_TYPES])
                .register(settingRegistry, { description: "Control-plane components to log.", change: "in place" }),
            retentionDays: z
                .int()
                .refine(
                    (days) => RETENTION_DAYS.includes(days),
                    `must be a retention period that CloudWatch supports (days): ${RETENTION_DAYS.join(", ")}`,
                )
                .default(365)
                .register(settingRegistry, {
                    description: `Days to keep control-plane and flow logs: ${RETENTION_DAYS.join(", ")}.`,
                    change: "in place",
                }),
        })
        .prefault({})
        .register(settingRegistry, { description: "Logs of the control plane and the VPC." }),
    kmsKeyArn: Arn.optional().register(settingRegistry, {
        description: "ARN of the KMS key that encrypts Kubernetes secrets and logs. Its policy must allow CloudWatch Logs to use it.",
        computedDefault: "a key that the stack creates",
        change: "never; EKS cannot change or remove the key of a cluster, and a key that the stack created would be scheduled for deletion",
    }),
    addons: z
        .strictObject({
            vpcCni: addonVersion("the VPC CNI", "vpcCni"),
            kubeProxy: addonVersion("kube-proxy", "kubeProxy"),
            coreDns: addonVersion("CoreDNS", "coreDns"),
        })
        .default({})
        .register(settingRegistry, { description: "Versions of the EKS add-ons." }),
    mtu: z.int().min(1280).max(9001).default(8500).register(settingRegistry, {
        description:
            "Largest packet in bytes. The default is the most that peering between regions and Transit Gateways carry; a mesh within one region may use 9001.",
        change: "in place; pods use it when they are next created",
    }),
    cilium: Cilium.prefault({}).register(settingRegistry, { description: "The Cilium release." }),
    tags: Tags.register(settingRegistry, { description: "Tags of every AWS resource of the stack.", change: "in place" }),
});

function addonVersion(name: string, key: keyof AddonVersions) {
    const pinned = Object.entries(ADDON_VERSIONS).map(([kubernetes, versions]) => `${versions[key]} (Kubernetes ${kubernetes})`);
    return z
        .string()
        .optional()
        .register(settingRegistry, {
            description: `Version of ${name}, as \`aws eks describe-addon-versions\` lists it.`,
            computedDefault: pinned.join(", "),
            change: "in place",
        });
}
