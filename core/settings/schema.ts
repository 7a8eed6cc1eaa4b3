import { z } from "zod";
import { contains, isCanonical, PRIVATE_RANGES } from "../network/cidr.ts";
import { parseTraffic } from "../network/traffic.ts";
import { CILIUM_RANGE, KUBERNETES_VERSIONS, supportsCilium } from "../versions.ts";

/** Days that CloudWatch accepts (PutRetentionPolicy). */
const RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"] as const;

/** An IPv4 block, written with its first address. */
const Cidr = z.string().refine(isCanonical, "is no IPv4 block in canonical form, as 10.0.0.0/16 is (host bits zero)");

const Arn = z.string().regex(/^arn:[\w-]+:[\w-]+:/, "is no ARN, as arn:aws:iam::123456789012:role/name is");

const Tags = z.record(z.string().min(1).max(128), z.string().max(256)).default({});

const NodeGroup = z.strictObject({
    /** CPU of the nodes' images. */
    architecture: z.enum(["x86_64", "arm64"]).default("x86_64"),
    /** EC2 types, the first one preferred. Default: m7i.large, or m7g.large on arm64. */
    instanceTypes: z
        .array(z.string().regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, "is no EC2 instance type, as m7i.large is"))
        .min(1)
        .optional(),
    min: z.int().min(0).default(2),
    /** Nodes at creation; afterwards an autoscaler may change it without Pulumi changing it back. */
    desired: z.int().min(1).default(3),
    max: z.int().min(1).default(6),
    /** Root disk of a node, GiB, gp3, encrypted. */
    diskGiB: z.int().min(20).max(16384).default(50),
    /** Where nodes and pods live. Public ones need no NAT, but have internet addresses. */
    subnets: z.enum(["private", "public"]).default("private"),
});

const Cilium = z.strictObject({
    /** Version of Cilium and of its chart. */
    version: z.string().refine(supportsCilium, `is no Cilium version that this program supports (${CILIUM_RANGE})`).default("1.20.2"),
    /** Where the chart is: a repository (https://...), an OCI reference (oci://...), or a folder or .tgz on disk, for people behind an air gap. */
    chart: z.string().min(1).default("https://helm.cilium.io/"),
    /** Where router addresses come from, outside every VPC. Default: the id-th /17 of 100.64.0.0/10. */
    poolCidr: Cidr.optional(),
    /** Lets the cluster's kvstoremesh dial the peers, rather than every agent. Recommended from about ten clusters on. */
    kvstoreMesh: z.boolean().default(false),
    /** Runs the agent privileged, rather than with the chart's list of capabilities. */
    privileged: z.boolean().default(false),
    /** More Helm values, merged last. Those on which the mesh depends are refused. Never put a secret here: Helm stores values in plain. */
    values: z.record(z.string(), z.unknown()).default({}),
});

/** Settings of a cluster stack. */
export const ClusterSchema = z.strictObject({
    kind: z.literal("cluster"),
    /** Name of the cluster, for EKS and for Cilium. Unique in the mesh; can never be changed. */
    name: z
        .string()
        .max(32, "is longer than the 32 characters that Cilium allows")
        .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "is no cluster name: lower-case letters, digits and '-', not at either end")
        .refine((name) => name !== "default", "is the name that Cilium gives clusters outside any mesh; choose another"),
    /** Cilium's cluster id. Unique in the mesh; can never be changed. */
    id: z
        .int()
        .min(1, "is no cluster id of a mesh: choose one from 1 to 127")
        .max(
            127,
            "is no cluster id that works behind the AWS VPC CNI: from 128 on network policies drop what they should not (cilium#21330); choose one from 1 to 127",
        ),
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "is no AWS region, as eu-central-1 is"),
    /** Role to assume in the cluster's account. Default: none, the credentials of whoever runs Pulumi. */
    assumeRole: Arn.optional(),
    /** IPv4 block of the VPC. Nodes and pods get their addresses from it, so it must overlap no other cluster's. Can never be changed. */
    vpcCidr: Cidr.refine(
        (cidr) => !isCanonical(cidr) || PRIVATE_RANGES.some((range) => contains(range, cidr)),
        `is outside the private ranges ${PRIVATE_RANGES.join(", ")}`,
    ).refine((cidr) => Number(cidr.split("/")[1]) >= 16, "is larger than a /16, the largest VPC that AWS makes"),
    /** Availability zones: how many (the region's first ones), or which. Two to six. Can never be changed. */
    zones: z
        .union([z.int().min(2, "EKS needs at least two zones").max(6), z.array(z.string()).min(2, "EKS needs at least two zones").max(6)])
        .default(3),
    /** NAT gateways: one for each zone, a single one (cheaper, but its zone's failure cuts all off), or none. */
    nat: z.enum(["zone", "single", "none"]).default("zone"),
    /** Addresses of Kubernetes services. May be the same in several clusters, but overlap no VPC of the mesh. Can never be changed. */
    serviceCidr: Cidr.refine(
        (cidr) => !isCanonical(cidr) || PRIVATE_RANGES.slice(0, 3).some((range) => contains(range, cidr)),
        "is outside 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16, where EKS wants it",
    )
        .refine(
            (cidr) => Number(cidr.split("/")[1]) >= 12 && Number(cidr.split("/")[1]) <= 24,
            "is not between /12 and /24, as EKS wants it",
        )
        .default("172.20.0.0/16"),
    /** Kubernetes minor version, quoted. */
    kubernetesVersion: z
        .enum(KUBERNETES_VERSIONS, {
            error: `is no Kubernetes version that this program supports: choose "${KUBERNETES_VERSIONS.join('", "')}", in quotes`,
        })
        .default("1.35"),
    endpoint: z
        .strictObject({
            /** From where the API server can be reached over the internet. None: only from within the VPC, where Pulumi must run then. */
            publicCidrs: z.array(Cidr).default([]),
        })
        .prefault({}),
    /** IAM roles or users that administer the cluster besides the one that made it: that of the mesh stack's runner, for one. */
    admins: z.array(Arn).default([]),
    nodeGroup: NodeGroup.prefault({}),
    logs: z
        .strictObject({
            /** What of the control plane is logged. */
            types: z.array(z.enum(LOG_TYPES)).default([...LOG_TYPES]),
            /** Days that control-plane and flow logs are kept. */
            retentionDays: z
                .int()
                .refine(
                    (days) => RETENTION_DAYS.includes(days),
                    `is no retention of CloudWatch: choose one of ${RETENTION_DAYS.join(", ")}`,
                )
                .default(365),
        })
        .prefault({}),
    /** Key for Kubernetes secrets and logs; its policy must admit CloudWatch Logs. Default: one is made. Can never be taken away. */
    kmsKeyArn: Arn.optional(),
    /** Versions of EKS's add-ons. Default: pinned for the Kubernetes version (core/versions.ts). */
    addons: z.strictObject({ vpcCni: z.string(), kubeProxy: z.string(), coreDns: z.string() }).partial().default({}),
    /** Largest packet, bytes. Default: what peering between regions and a Transit Gateway carry. 9001 is right for a mesh in one region. */
    mtu: z.int().min(1280).max(9001).default(8500),
    cilium: Cilium.prefault({}),
    /** On every AWS resource. */
    tags: Tags,
});

const StackName = z
    .string()
    .regex(/^[\w.-]+(\/[\w.-]+\/[\w.-]+)?$/, "is no stack name: write <stack>, or <organization>/<project>/<stack>");

const Port = z
    .string()
    .refine((text) => parseTraffic(text) !== undefined, "is no port: write tcp/443, udp/8000-9000 (ports 1 to 65535) or icmp");

/** Settings of the mesh stack. */
export const MeshSchema = z.strictObject({
    kind: z.literal("mesh"),
    /** The cluster stacks, by short or full name. */
    clusters: z.array(StackName).min(2, "has fewer than two clusters, which is no mesh: name every cluster stack"),
    /** How VPCs are connected: a peering for each pair, or a Transit Gateway for each region (from about ten clusters on; costs by the hour). */
    network: z.enum(["peering", "transit-gateway"]).default("peering"),
    /** What nodes and pods accept from the other clusters: everything, or these ports (and always what Cilium itself needs). */
    ingress: z.union([z.literal("all"), z.array(Port)], { error: "is neither all nor a list of ports" }).default("all"),
    /** Changes that restart agents go through one cluster after the other, the next only when the agents of the one before see all clusters again. */
    rolling: z.boolean().default(false),
    gate: z
        .strictObject({
            /** Seconds until `up` gives up waiting for the agents of a cluster. */
            timeoutSeconds: z.int().min(30).max(7200).default(900),
            /** Seconds after which an agent that stays behind is restarted, at most twice. */
            healAfterSeconds: z.int().min(10).max(7200).default(180),
        })
        .prefault({}),
    /** AWS's limits in the accounts of this mesh; raise them here once AWS has. */
    quotas: z
        .strictObject({
            peeringsPerVpc: z.int().min(1).max(125).default(50),
            routesPerTable: z.int().min(1).max(1000).default(500),
            rulesPerSecurityGroup: z.int().min(1).max(1000).default(60),
        })
        .prefault({}),
    tags: Tags,
});

export const StackSettings = z.discriminatedUnion("kind", [ClusterSchema, MeshSchema]);

/** A cluster's settings as its file may have them: with the defaults that stand by themselves. */
export type ClusterSettings = z.output<typeof ClusterSchema>;
export type MeshSettings = z.output<typeof MeshSchema>;
