import { z } from "zod";
import { parseTraffic } from "../network/traffic.ts";
import { settingRegistry } from "./registry.ts";
import { Tags } from "./types.ts";

const StackName = z.string().regex(/^[\w.-]+(\/[\w.-]+\/[\w.-]+)?$/, "must be a stack name: <stack> or <organization>/<project>/<stack>");

const Port = z
    .string()
    .refine(
        (text) => parseTraffic(text) !== undefined,
        "must be a port such as tcp/443, a range such as udp/8000-9000 (ports 1 to 65535), or icmp",
    );

/** Settings of the mesh stack. */
export const MeshSchema = z.strictObject({
    kind: z.literal("mesh").register(settingRegistry, {
        description: "Marks the stack of a mesh.",
        change: "never; a stack stays a cluster or a mesh",
    }),
    clusters: z.array(StackName).min(2, "must list at least two cluster stacks").register(settingRegistry, {
        description: "The cluster stacks, by short or full name (`<organization>/<project>/<stack>`).",
        change: "in place; with direct wiring it rolls the agents of every cluster",
    }),
    network: z.enum(["peering", "transit-gateway"]).default("peering").register(settingRegistry, {
        description:
            "Connection of the VPCs: a peering connection for each pair, or a Transit Gateway in each region (recommended from about ten clusters on; billed by the hour).",
        change: "never; AWS refuses the new routes while the old ones exist (RouteAlreadyExists); destroy the mesh stack first",
    }),
    ingress: z
        .union([z.literal("all"), z.array(Port)], { error: 'must be "all" or a list of ports' })
        .default("all")
        .register(settingRegistry, {
            description:
                "Traffic that nodes and pods accept from the other clusters: all, or only these ports. What Cilium itself needs is always allowed.",
            change: "in place",
        }),
    rolling: z.boolean().default(false).register(settingRegistry, {
        description:
            "Roll out changes that restart agents one cluster at a time: the next cluster starts when the agents of the previous one see all clusters again. `up --rolling` does so for one run.",
        change: "in place",
    }),
    gate: z
        .strictObject({
            timeoutSeconds: z.int().min(30).max(7200).default(900).register(settingRegistry, {
                description: "Seconds that `up` waits for the agents of a cluster before it fails.",
                change: "in place; the gates run again",
            }),
            healAfterSeconds: z.int().min(10).max(7200).default(180).register(settingRegistry, {
                description: "Seconds after which an agent that is still not ready is restarted, at most twice.",
                change: "in place; the gates run again",
            }),
        })
        .prefault({})
        .register(settingRegistry, { description: "The ready gate: `up` waits until every agent sees every other cluster." }),
    quotas: z
        .strictObject({
            peeringsPerVpc: z.int().min(1).max(125).default(50).register(settingRegistry, {
                description: "Active VPC peering connections per VPC.",
                change: "in place",
            }),
            routesPerTable: z.int().min(1).max(1000).default(500).register(settingRegistry, {
                description: "Routes per route table, not counting the VPC's own.",
                change: "in place",
            }),
            rulesPerSecurityGroup: z.int().min(1).max(1000).default(60).register(settingRegistry, {
                description: "Inbound rules per security group.",
                change: "in place",
            }),
        })
        .prefault({})
        .register(settingRegistry, {
            description: "AWS quotas in the accounts of this mesh. Raise them here after AWS has raised them.",
        }),
    tags: Tags.register(settingRegistry, { description: "Tags of every AWS resource of the stack.", change: "in place" }),
});
