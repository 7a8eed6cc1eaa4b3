import { beforeAll, describe, expect, test } from "vitest";
import { directEntry, kvstoremeshEntry, parseClustermesh, withCertificates } from "../../core/cilium/clustermesh-config.ts";
import type { ClusterFacts } from "../../core/facts/schema.ts";
import { ordered, pairs, peersOf } from "../../core/network/mesh.ts";
import { type MeshConfig, parseConfig } from "../../core/settings/parse.ts";
import { meshStack } from "../../stacks/mesh.ts";
import { member } from "../members.ts";
import { ofType, only, type Program, type Registered, run } from "./harness.ts";

const ROUTE = "aws:ec2/route:Route";
const RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const SECRET = "kubernetes:core/v1:Secret";
const PATCH = "kubernetes:apps/v1:DaemonSetPatch";

/**
 * Runs the mesh stack with clusters that were deployed with these facts.
 *
 * @param states additional resource outputs, by resource name
 */
async function mesh(
    members: readonly ClusterFacts[],
    settings: object = {},
    states: Record<string, object> = {},
): Promise<Program<Record<string, unknown>>> {
    const { config, problems } = parseConfig(
        { kind: "mesh", clusters: members.map(({ stack }) => stack), ...settings },
        "organization/clustermesh",
    );
    expect(problems).toEqual([]);
    const stacks = Object.fromEntries(
        members.map(({ stack, ...facts }) => [
            stack,
            {
                outputs: {
                    ...facts,
                    kubeconfig: `kubeconfig of ${facts.name}`,
                    etcdClient: { ca: `CA of ${facts.name}`, cert: `cert of ${facts.name}`, key: `PRIVATE KEY of ${facts.name}` },
                },
                secretOutputNames: ["kubeconfig", "etcdClient"],
            },
        ]),
    );
    return run(() => meshStack(config as MeshConfig) as Promise<Record<string, unknown>>, { stack: "mesh", stacks, states });
}

const decode = (data: unknown) =>
    Object.fromEntries(
        Object.entries(data as Record<string, string>).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]),
    );

/** The files of a member's Secret, as its pods mount them. */
function mounted(resources: Registered[], name: string, secret: string): Record<string, string> {
    return decode(only(resources, SECRET, `${name}-${secret}`).inputs.data);
}

describe.each([2, 5])("a mesh of %i", (size) => {
    const members = Array.from({ length: size }, (_, i) => member(i + 1));
    let resources: Registered[];
    let outputs: Record<string, unknown>;
    beforeAll(async () => {
        ({ resources, outputs } = await mesh(members));
    });

    test("has a peering for each pair, accepted, with DNS from both ends", () => {
        const count = (size * (size - 1)) / 2;
        expect(ofType(resources, "aws:ec2/vpcPeeringConnection:VpcPeeringConnection")).toHaveLength(count);
        expect(
            ofType(resources, "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter").every(
                ({ inputs }) => inputs.autoAccept === true,
            ),
        ).toBe(true);
        const options = ofType(resources, "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions");
        for (const side of ["requester", "accepter"])
            expect(
                options.filter(({ inputs }) => (inputs[side] as { allowRemoteVpcDnsResolution?: boolean })?.allowRemoteVpcDnsResolution),
            ).toHaveLength(count);
        expect(Object.keys(outputs.connections as object)).toEqual(pairs(ordered(members)).map(([a, b]) => `${a.name}.${b.name}`));
    });

    test("routes every block of every peer in every table, once the peering is active", () => {
        const routes = ofType(resources, ROUTE);
        for (const self of members) {
            for (const table of self.routeTableIds) {
                const destinations = routes
                    .filter(({ inputs }) => inputs.routeTableId === table)
                    .map(({ inputs }) => inputs.destinationCidrBlock);
                expect(destinations.toSorted()).toEqual(
                    peersOf(self, members)
                        .flatMap(({ vpcCidrs }) => vpcCidrs)
                        .toSorted(),
                );
            }
        }
        for (const { dependsOn } of routes)
            expect(dependsOn.some((name) => name.startsWith("aws:ec2/vpcPeeringConnectionAccepter"))).toBe(true);
    });

    test("admits every peer to the nodes and to the etcd of each member", () => {
        const rules = ofType(resources, RULE);
        for (const self of members) {
            for (const peer of peersOf(self, members)) {
                const from = rules.filter(({ inputs }) => inputs.cidrIpv4 === peer.vpcCidrs[0]).map(({ inputs }) => inputs);
                expect(from).toContainEqual(expect.objectContaining({ securityGroupId: `sg-${self.name}`, ipProtocol: "-1" }));
                expect(from).toContainEqual(
                    expect.objectContaining({ securityGroupId: `sg-${self.name}-etcd`, ipProtocol: "tcp", fromPort: 2379, toPort: 2379 }),
                );
            }
        }
        expect(rules).toHaveLength(size * (size - 1) * 2);
        for (const { inputs } of rules) expect(inputs.description).toMatch(/ of c\d/);
    });

    test("writes each member's peers into the Secret that Cilium reads, with the credentials of each peer", () => {
        for (const self of members) {
            const files = mounted(resources, self.name, "cilium-clustermesh");
            expect([...parseClustermesh(files, self.name).keys()].toSorted()).toEqual(
                peersOf(self, members)
                    .map(({ name }) => name)
                    .toSorted(),
            );
            for (const { name } of peersOf(self, members)) {
                expect(files[`${name}.etcd-client-ca.crt`]).toBe(`CA of ${name}`);
                expect(files[`${name}.etcd-client.crt`]).toBe(`cert of ${name}`);
                expect(files[`${name}.etcd-client.key`]).toBe(`PRIVATE KEY of ${name}`);
                // Otherwise agents would not notice new certificates of a peer.
                expect(files[name]).toBe(withCertificates(directEntry(name), { ca: `CA of ${name}`, cert: `cert of ${name}` }));
            }
            expect(Object.keys(files)).toHaveLength((size - 1) * 4);
        }
    });

    test("patches each member's DaemonSet with the peers' addresses, with its own field manager", () => {
        for (const self of members) {
            expect(only(resources, PATCH, `${self.name}-cilium`).inputs).toMatchObject({
                metadata: { name: "cilium", namespace: "kube-system", annotations: { "pulumi.com/patchFieldManager": "clustermesh" } },
                spec: {
                    template: {
                        spec: {
                            hostAliases: peersOf(self, ordered(members)).flatMap(({ name, etcd }) =>
                                etcd.addresses.map((ip) => ({ ip, hostnames: [`${name}.mesh.cilium.io`] })),
                            ),
                        },
                    },
                },
            });
        }
    });

    test("uses a Kubernetes provider per cluster", () => {
        for (const { type, name, provider } of resources.filter(({ type }) => type.startsWith("kubernetes:")))
            expect(provider, `${type} ${name}`).toBe(name.split("-")[0]);
        const providers = ofType(resources, "pulumi:providers:kubernetes");
        expect(providers).toHaveLength(size);
        for (const { name, inputs, secrets } of providers) {
            expect(inputs).toMatchObject({
                kubeconfig: `kubeconfig of ${name}`,
                clusterIdentifier: expect.stringContaining(`cluster/${name}`),
                enableSecretMutable: "true",
            });
            expect(secrets).toContain("kubeconfig");
        }
        // One provider process per account and region, not per member.
        expect(ofType(resources, "pulumi:providers:aws")).toHaveLength(1);
    });

    test("orders networks before the agents' configuration, and that before the gate", () => {
        const network = resources.filter(({ type }) => /^aws:.*(Peering|Route$|IngressRule$)/.test(type));
        for (const { name, dependsOn } of ofType(resources, "clustermesh:index:Member")) {
            // The name of a resource between two clusters contains both names.
            const own = network.filter(
                (part) => new RegExp(`\\b${name}\\b`).test(part.name) && !(part.type === RULE && !part.name.startsWith(`${name}.`)),
            );
            expect(own.length).toBe((size - 1) * (4 + 4 + 2));
            for (const part of own) expect(dependsOn).toContain(`${part.type} ${part.name}`);
        }
        const gates = ofType(resources, "clustermesh:index:ReadyGate");
        expect(gates.map(({ name }) => name).toSorted()).toEqual(members.map(({ name }) => name).toSorted());
        for (const { type, name } of [...ofType(resources, SECRET), ...ofType(resources, PATCH)])
            for (const gate of gates.filter((gate) => name.startsWith(`${gate.name}-`)))
                expect(gate.dependsOn).toContain(`${type} ${name}`);
    });

    test("passes kubeconfigs to the gates only in the environment", () => {
        for (const self of members) {
            const { inputs, secrets } = only(
                resources.filter(({ name }) => name === self.name),
                "command:local:Command",
            );
            expect(inputs).toMatchObject({ create: "node gate/main.ts", update: "node gate/main.ts" });
            expect(inputs).not.toHaveProperty("triggers");
            const environment = inputs.environment as Record<string, string>;
            const { cluster, peers } = JSON.parse(environment.CLUSTERMESH_GATE ?? "") as { cluster: string; peers: string[] };
            expect(cluster).toBe(self.name);
            expect(peers).toEqual(peersOf(self, ordered(members)).map(({ name }) => name));
            expect(environment.CLUSTERMESH_KUBECONFIG).toBe(`kubeconfig of ${self.name}`);
            expect(secrets).toEqual(["environment"]);
        }
    });

    test("returns the facts that verify needs, and no secrets", () => {
        expect(Object.keys(outputs.members as object)).toEqual(ordered(members).map(({ name }) => name));
        expect(JSON.stringify(outputs)).not.toMatch(/PRIVATE KEY|kubeconfig/);
    });
});

test("every input with a private key or a kubeconfig is marked secret", async () => {
    const { resources } = await mesh([member(1), member(2)]);
    let marked = 0;
    for (const { type, name, inputs, secrets } of resources) {
        for (const [key, value] of Object.entries(inputs)) {
            const text = JSON.stringify(type === SECRET && key === "data" ? decode(value) : value);
            if (!/PRIVATE KEY|kubeconfig of/.test(text)) continue;
            expect(secrets, `${type} ${name}`).toContain(key);
            marked += 1;
        }
    }
    expect(marked).toBeGreaterThanOrEqual(5);
});

test("with rolling, each member waits for the gate of the previous member; otherwise members do not wait for each other", async () => {
    const members = [member(1), member(2), member(3)];
    const waits = async (rolling: boolean) => {
        const { resources } = await mesh(members, { rolling });
        // The dependencies of a member hold for its children too, which wait until it is registered.
        return ofType(resources, "clustermesh:index:Member").map(({ name, dependsOn }) => [
            name,
            dependsOn.filter((name) => name.startsWith("clustermesh:index:ReadyGate") || name.startsWith("command:")).toSorted(),
        ]);
    };
    const gate = (name: string) => expect.arrayContaining([`command:local:Command ${name}`]);
    expect(await waits(false)).toEqual([
        ["c1", []],
        ["c2", []],
        ["c3", []],
    ]);
    expect(await waits(true)).toEqual([
        ["c1", []],
        ["c2", gate("c1")],
        ["c3", gate("c2")],
    ]);
});

test("the order of the list changes nothing", async () => {
    const members = [member(3), member(1), member(2)];
    const [listed, reversed] = [await mesh(members), await mesh(members.toReversed())];
    const bare = ({ resources }: typeof listed) => resources.map(({ type, name, inputs }) => ({ type, name, inputs }));
    expect(bare(listed)).toEqual(bare(reversed));
});

test("a third cluster adds resources, updates three resources per member, and replaces none", async () => {
    const [two, three] = [await mesh([member(1), member(2)]), await mesh([member(1), member(2), member(3)])];
    const key = ({ type, name }: Registered) => `${type} ${name}`;
    const after = new Map(three.resources.map((resource) => [key(resource), resource]));
    const changed = two.resources
        .filter((resource) => JSON.stringify(after.get(key(resource))?.inputs) !== JSON.stringify(resource.inputs))
        .map(key);
    expect(changed).toEqual([
        "command:local:Command c1",
        "command:local:Command c2",
        "kubernetes:apps/v1:DaemonSetPatch c1-cilium",
        "kubernetes:apps/v1:DaemonSetPatch c2-cilium",
        "kubernetes:core/v1:Secret c1-cilium-clustermesh",
        "kubernetes:core/v1:Secret c2-cilium-clustermesh",
    ]);
});

test("across regions and accounts, each end of a peering uses its own provider", async () => {
    const role = "arn:aws:iam::222222222222:role/mesh";
    const members = [member(1), member(2, { region: "us-east-1", accountId: "222222222222", assumeRole: role })];
    const { resources } = await mesh(members);
    const providers = Object.fromEntries(
        ofType(resources, "pulumi:providers:aws").map(({ name, inputs }) => [
            name,
            { region: inputs.region, assumeRoles: inputs.assumeRoles },
        ]),
    );
    expect(providers).toEqual({
        "111111111111.eu-central-1": { region: "eu-central-1" },
        "222222222222.us-east-1.mesh": {
            region: "us-east-1",
            assumeRoles: JSON.stringify([{ roleArn: role, sessionName: "clustermesh" }]),
        },
    });
    const created = resources
        .filter(({ type }) => type.startsWith("aws:"))
        .map(({ type, name, provider }) => `${type.split(":")[2]} ${name}: ${provider}`);
    expect(created).toMatchInlineSnapshot(`
      [
        "PeeringConnectionOptions c1.c2-accepter: 222222222222.us-east-1.mesh",
        "PeeringConnectionOptions c1.c2-requester: 111111111111.eu-central-1",
        "Route c1.c2.rtb-c1-private.10.2.0.0/16: 111111111111.eu-central-1",
        "Route c1.c2.rtb-c1-public.10.2.0.0/16: 111111111111.eu-central-1",
        "Route c2.c1.rtb-c2-private.10.1.0.0/16: 222222222222.us-east-1.mesh",
        "Route c2.c1.rtb-c2-public.10.1.0.0/16: 222222222222.us-east-1.mesh",
        "VpcPeeringConnection c1.c2: 111111111111.eu-central-1",
        "VpcPeeringConnectionAccepter c1.c2: 222222222222.us-east-1.mesh",
        "SecurityGroupIngressRule c1.c2.sg-c2-etcd.tcp/2379.10.1.0.0/16: 222222222222.us-east-1.mesh",
        "SecurityGroupIngressRule c1.c2.sg-c2.all traffic.10.1.0.0/16: 222222222222.us-east-1.mesh",
        "SecurityGroupIngressRule c2.c1.sg-c1-etcd.tcp/2379.10.2.0.0/16: 111111111111.eu-central-1",
        "SecurityGroupIngressRule c2.c1.sg-c1.all traffic.10.2.0.0/16: 111111111111.eu-central-1",
      ]
    `);
    expect(only(resources, "aws:ec2/vpcPeeringConnection:VpcPeeringConnection").inputs).toMatchObject({
        peerOwnerId: "222222222222",
        peerRegion: "us-east-1",
    });
});

test("a manual change is reverted, and only the gate of that cluster runs again", async () => {
    const members = [member(1, { wiring: "kvstoremesh" }), member(2)];
    const revisions = ({ resources }: Program<object>) =>
        Object.fromEntries(
            ofType(resources, "command:local:Command").map(({ name, inputs }) => [
                name,
                (inputs.environment as Record<string, string>).CLUSTERMESH_REVISION,
            ]),
        );
    const before = await mesh(members);
    for (const { inputs } of ofType(before.resources, SECRET))
        expect(inputs.metadata).toMatchObject({ annotations: { "pulumi.com/patchForce": "true" } });
    expect(revisions(await mesh(members))).toEqual(revisions(before));
    const changes: [string, object][] = [
        ["c1-cilium-clustermesh", { resourceVersion: "2" }],
        ["c1-cilium-kvstoremesh", { resourceVersion: "2" }],
        ["c2-cilium-clustermesh", { resourceVersion: "2" }],
        ["c2-cilium", { generation: 2 }],
    ];
    for (const [name, metadata] of changes) {
        const after = revisions(await mesh(members, {}, { [name]: { metadata } }));
        const changed = Object.keys(after).filter((cluster) => after[cluster] !== revisions(before)[cluster]);
        expect(changed, name).toEqual([name.split("-")[0]]);
    }
});

test("with KVStoreMesh wiring there are remote entries for kvstoremesh, local entries for agents, and no host aliases", async () => {
    const { resources } = await mesh([member(1, { wiring: "kvstoremesh" }), member(2)]);
    const files = mounted(resources, "c1", "cilium-kvstoremesh");
    expect(files.c2).toBe(withCertificates(kvstoremeshEntry("c2", ["10.2.0.16", "10.2.64.16"]), { ca: "CA of c2", cert: "cert of c2" }));
    const remote = parseClustermesh(files, "c1");
    expect(remote.get("c2")).toMatchObject({
        endpoints: ["https://c2.mesh.cilium.io:2379"],
        hostAliases: [{ hostname: "c2.mesh.cilium.io", ips: ["10.2.0.16", "10.2.64.16"] }],
    });
    const local = parseClustermesh(mounted(resources, "c1", "cilium-clustermesh"), "c1");
    expect(local.get("c2")?.endpoints).toEqual(["https://clustermesh-apiserver.kube-system.svc:2379"]);
    // A patch without fields before the gate, which removes the host aliases of an earlier direct wiring.
    const { inputs } = only(resources, PATCH, "c1-cilium");
    expect(inputs).toMatchObject({ metadata: { annotations: { "pulumi.com/patchFieldManager": "clustermesh" } } });
    expect(inputs).not.toHaveProperty("spec");
    expect(ofType(resources, "clustermesh:index:ReadyGate")[0]?.dependsOn).toContain(`${PATCH} c1-cilium`);
});

test("creates a Transit Gateway per region with attachments, accepters, static routes between regions, and routes in every table", async () => {
    const members = [
        member(1),
        member(2, { accountId: "222222222222", assumeRole: "arn:aws:iam::222222222222:role/mesh" }),
        member(3, { region: "us-east-1" }),
    ];
    const { resources, outputs } = await mesh(members, { network: "transit-gateway", ingress: ["tcp/443"] });
    const created = resources
        .filter(({ type }) => /ec2transitgateway|:ram\//.test(type))
        .map(({ type, name, provider }) => `${type.split(":")[2]} ${name}: ${provider}`);
    expect(created).toMatchInlineSnapshot(`
      [
        "PeeringAttachment eu-central-1.us-east-1: hub.eu-central-1",
        "PeeringAttachmentAccepter eu-central-1.us-east-1: hub.us-east-1",
        "Route eu-central-1.c3.10.3.0.0/16: hub.eu-central-1",
        "Route us-east-1.c1.10.1.0.0/16: hub.us-east-1",
        "Route us-east-1.c2.10.2.0.0/16: hub.us-east-1",
        "TransitGateway mesh-eu-central-1: hub.eu-central-1",
        "TransitGateway mesh-us-east-1: hub.us-east-1",
        "VpcAttachment c1: 111111111111.eu-central-1",
        "VpcAttachment c2: 222222222222.eu-central-1.mesh",
        "VpcAttachment c3: 111111111111.us-east-1",
        "VpcAttachmentAccepter c2: hub.eu-central-1",
        "PrincipalAssociation mesh-eu-central-1-222222222222: hub.eu-central-1",
        "ResourceAssociation mesh-eu-central-1: hub.eu-central-1",
        "ResourceShare mesh-eu-central-1: hub.eu-central-1",
      ]
    `);
    const routes = ofType(resources, ROUTE);
    expect(routes).toHaveLength(3 * 2 * 2);
    for (const { inputs } of routes)
        expect(inputs.transitGatewayId).toBe(`mesh-${String(inputs.routeTableId).includes("c3") ? "us-east-1" : "eu-central-1"}-id`);
    for (const { name, provider } of routes)
        expect(provider, name).toBe(
            { c1: "111111111111.eu-central-1", c2: "222222222222.eu-central-1.mesh", c3: "111111111111.us-east-1" }[name.slice(0, 2)],
        );
    expect(outputs.connections).toEqual({ "eu-central-1": "mesh-eu-central-1-id", "us-east-1": "mesh-us-east-1-id" });
    expect(ofType(resources, RULE)).toHaveLength(3 * 2 * (1 + 3));
});

test("refuses clusters that do not fit before it creates any resource", async () => {
    await expect(mesh([member(1), member(1, { name: "c2" })])).rejects.toThrow(
        /^these clusters cannot form a mesh:\n✖ Pulumi.c1.yaml and Pulumi.c2.yaml both have id 1/,
    );
});
