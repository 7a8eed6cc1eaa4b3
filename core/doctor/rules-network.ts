import { contains } from "../network/cidr.ts";
import { ingressFrom, routesTo } from "../network/mesh.ts";
import { describeTraffic, type Traffic } from "../network/traffic.ts";
import { LONG_PATH_MTU } from "../preflight.ts";
import { stackFile } from "../stack-names.ts";
import type { ClusterEvidence, MeshEvidence } from "./evidence.ts";
import { about, few, joined, kubectl, links, putBack, type Rule, way, ways } from "./rule.ts";

/** AWS's states of a connection that carries packets. */
const CARRIES = ["active", "available"];

/** What the routes of a cluster to a peer must lead to. */
function connectionOf({ network, connections }: MeshEvidence, from: ClusterEvidence, to: ClusterEvidence): string | undefined {
    if (network === "transit-gateway") return connections[from.facts.region];
    return connections[`${from.facts.name}.${to.facts.name}`] ?? connections[`${to.facts.name}.${from.facts.name}`];
}

/** The route that a packet for the block takes: the narrowest. */
function routeFor<R extends { table: string; destination: string }>(routes: readonly R[], table: string, block: string): R | undefined {
    const size = ({ destination }: R) => Number(destination.split("/")[1]);
    return routes
        .filter((route) => route.table === table && /^[\d.]+\/\d+$/.test(route.destination) && contains(route.destination, block))
        .toSorted((a, b) => size(b) - size(a))[0];
}

const NO_ROUTE = { destination: "", target: "", state: "active" };

/** Of two different blocks. */
function isWithin(block: string, outer: string): boolean {
    return block !== outer && /^[\d.]+\/\d+$/.test(block) && contains(outer, block);
}

/** Whether a rule lets in everything that is wanted. -1: all ports, or types of ICMP. */
function admits(rule: Traffic & { group: string; source: string }, wanted: Traffic & { securityGroupId: string; source: string }): boolean {
    if (rule.group !== wanted.securityGroupId || !contains(rule.source, wanted.source)) return false;
    if (rule.protocol === "-1") return true;
    if (rule.protocol !== wanted.protocol) return false;
    const { fromPort = -1, toPort = -1 } = rule;
    if (fromPort === -1) return true;
    if (rule.protocol === "icmp") return fromPort === wanted.fromPort;
    return fromPort <= (wanted.fromPort ?? 0) && toPort >= (wanted.toPort ?? 65535);
}

export const NETWORK_RULES: readonly Rule[] = [
    {
        id: "connection-inactive",
        failure: "The VPCs of two clusters are not connected: the peering or the attachment to the Transit Gateway is not active.",
        looksAt: "state of each peering connection, or of each VPC's attachment to its region's Transit Gateway",
        find: (evidence, see) => [
            ...links(evidence).flatMap(({ mesh, ends: [a, b] }) => {
                const id = connectionOf(mesh, a, b);
                if (mesh.network !== "peering" || !id) return [];
                const seen = [a, b].map((end) => see(end.aws.connections)).filter((states) => states !== undefined);
                if (seen.length === 0 || seen.some((states) => CARRIES.includes(states[id] ?? ""))) return [];
                const state = seen.map((states) => states[id]).find((one) => one) ?? "gone";
                return [
                    {
                        ...way(a, b),
                        subject: `${a.facts.name} ↔ ${b.facts.name}`,
                        found: `peering ${id} is ${state}, not active`,
                        cause: "routes to it are black holes: nothing passes between these clusters",
                        remedy: putBack(mesh.stack),
                    },
                ];
            }),
            ...joined(evidence).flatMap(({ mesh, members }) =>
                members.flatMap((member) => {
                    const gateway = mesh.connections[member.facts.region];
                    if (mesh.network !== "transit-gateway" || !gateway) return [];
                    const state = see(member.aws.connections);
                    if (!state || CARRIES.includes(state[gateway] ?? "")) return [];
                    return [
                        {
                            ...about(member),
                            found: `the attachment of ${member.facts.vpcId} to ${gateway} is ${state[gateway] ?? "gone"}, not available`,
                            cause: "nothing passes between this cluster and the others",
                            remedy: putBack(mesh.stack),
                        },
                    ];
                }),
            ),
        ],
    },
    {
        id: "route-missing",
        failure: "A route table has no route to a peer, or one that leads elsewhere.",
        looksAt: "every route table that a subnet of the cluster uses, for each block of every peer's VPC",
        find: (evidence, see) =>
            ways(evidence).flatMap(({ mesh, from, to }) => {
                const routes = see(from.aws.routes);
                const target = connectionOf(mesh, from, to);
                if (!routes || !target) return [];
                // Of a connection that is not active every route is a black hole: told by the rule above.
                const states = "value" in from.aws.connections ? from.aws.connections.value : { [target]: "active" };
                const connected = CARRIES.includes(states[target] ?? "gone");
                return routesTo(from.facts, to.facts).flatMap(({ routeTableId, destination }) => {
                    const route = routeFor(routes, routeTableId, destination);
                    const narrower = routes.find(
                        (one) => one.table === routeTableId && isWithin(one.destination, destination) && one.target !== target,
                    );
                    const astray =
                        narrower ??
                        (route?.target === target && (route.state === "active" || !connected) ? undefined : (route ?? NO_ROUTE));
                    if (!astray) return [];
                    const state = astray.state === "active" ? "" : ` (${astray.state})`;
                    const there = astray === NO_ROUTE ? "nowhere" : `by ${astray.destination} to ${astray.target}${state}`;
                    return [
                        {
                            ...way(from, to),
                            found: `table ${routeTableId} leads packets for ${destination} ${there}, not to ${target}`,
                            cause: "nodes and pods of that table's subnets do not reach the peer; over a NAT gateway they arrive with another address, or not at all",
                            remedy: [
                                ...putBack(mesh.stack),
                                `aws ec2 describe-route-tables --region ${from.facts.region} --route-table-ids ${routeTableId}`,
                            ],
                        },
                    ];
                });
            }),
    },
    {
        id: "ingress-missing",
        failure: "A security group does not admit a peer: its agents to the etcd, or its nodes and pods.",
        looksAt: "ingress rules of the groups of the etcd's load balancer and of the nodes, for each block of every peer's VPC",
        find: (evidence, see) =>
            ways(evidence).flatMap(({ mesh, from, to }) => {
                const rules = see(to.aws.rules);
                if (!rules) return [];
                return ingressFrom(from.facts, to.facts, mesh.ingress)
                    .filter((wanted) => !rules.some((rule) => admits(rule, wanted)))
                    .map((wanted) => ({
                        ...way(from, to),
                        found: `${wanted.securityGroupId} of ${to.facts.name} does not admit ${describeTraffic(wanted)} from ${wanted.source}`,
                        cause: `missing: ${wanted.description}`,
                        remedy: [
                            ...putBack(mesh.stack),
                            `aws ec2 describe-security-group-rules --region ${to.facts.region} --filters Name=group-id,Values=${wanted.securityGroupId}`,
                        ],
                    }));
            }),
    },
    {
        id: "balancer-missing",
        failure: "The load balancer before a cluster's etcd is not there, is not active, or has other addresses than the stack published.",
        looksAt: "the network load balancer with the etcd's security group",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) => {
                const balancer = see(cluster.aws.balancer);
                if (balancer === undefined) return [];
                const { addresses } = cluster.facts.etcd;
                const absent = addresses.filter((address) => !balancer?.addresses.includes(address));
                if (balancer?.state === "active" && absent.length === 0) return [];
                return [
                    {
                        ...about(cluster),
                        found: !balancer
                            ? `no load balancer has the security group ${cluster.facts.etcd.securityGroupId}`
                            : balancer.state !== "active"
                              ? `${balancer.name} is ${balancer.state}, not active`
                              : `${balancer.name} has ${balancer.addresses.join(", ")}, not ${few(absent)}`,
                        cause: `no peer reaches the etcd of ${cluster.facts.name}`,
                        remedy: putBack(cluster.facts.stack),
                    },
                ];
            }),
    },
    {
        id: "targets-unhealthy",
        failure: "The load balancer before a cluster's etcd has no healthy node behind it, or not all of them are.",
        looksAt: "health of the targets of the etcd's load balancer",
        find: ({ clusters }, see) =>
            clusters.flatMap((cluster) => {
                const balancer = see(cluster.aws.balancer);
                // Targets come and go with the nodes.
                const targets = balancer?.targets.filter(({ state }) => state !== "initial" && state !== "draining") ?? [];
                const ill = targets.filter(({ state }) => state !== "healthy");
                if (!balancer || (ill.length === 0 && balancer.targets.length > 0)) return [];
                const [first] = ill;
                return [
                    {
                        ...about(cluster),
                        found: !first
                            ? `${balancer.name} has no targets`
                            : `${ill.length} of ${targets.length} targets of ${balancer.name} are not healthy: ${few(ill.map(({ id, state }) => `${id} ${state}`))}${first.reason ? ` (${first.reason})` : ""}`,
                        cause:
                            ill.length === 0
                                ? "no node is in the target group: the autoscaling group is no longer attached to it"
                                : "clustermesh-apiserver does not answer behind the node port, or the nodes do not admit the load balancer",
                        remedy: [
                            ...putBack(cluster.facts.stack),
                            kubectl(cluster, "-n kube-system get pods -l k8s-app=clustermesh-apiserver -o wide"),
                        ],
                    },
                ];
            }),
    },
    {
        id: "source-nat",
        failure:
            "The VPC CNI translates the source of packets to a peer: it sees a node instead of a pod, policies do not match, and answers may get lost.",
        looksAt:
            "AWS_VPC_K8S_CNI_EXTERNALSNAT and AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS of the DaemonSet aws-node, against the blocks of every peer",
        find: (evidence, see) =>
            joined(evidence).flatMap(({ members }) =>
                members.flatMap((cluster) => {
                    const env = see(cluster.kubernetes.vpcCni);
                    if (!env || env.AWS_VPC_K8S_CNI_EXTERNALSNAT?.toLowerCase() === "true") return [];
                    const excluded = (env.AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS ?? "").split(",").map((block) => block.trim());
                    const blocks = members.filter((member) => member !== cluster).flatMap(({ facts }) => facts.vpcCidrs);
                    const translated = blocks.filter((block) => !excluded.some((range) => range !== "" && contains(range, block)));
                    if (translated.length === 0) return [];
                    return [
                        {
                            subject: cluster.facts.name,
                            clusters: members.map(({ facts }) => facts.name),
                            found: `AWS_VPC_K8S_CNI_EXTERNALSNAT is ${env.AWS_VPC_K8S_CNI_EXTERNALSNAT ?? "not set"}, and AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS (${excluded.filter(Boolean).join(", ") || "not set"}) leaves out ${few(translated)}`,
                            cause: "packets of its pods arrive at peers with the node's address",
                            remedy: putBack(cluster.facts.stack),
                        },
                    ];
                }),
            ),
    },
    {
        id: "mtu-too-large",
        failure: `Pods send packets that the way to a peer does not carry: Transit Gateways and peering between regions stop at ${LONG_PATH_MTU} bytes.`,
        looksAt: "mtu of cilium-config and AWS_VPC_ENI_MTU of the DaemonSet aws-node, where the mesh has such a way",
        find: (evidence, see) =>
            joined(evidence).flatMap(({ mesh, members }) => {
                const regions = new Set(members.map(({ facts }) => facts.region));
                if (mesh.network !== "transit-gateway" && regions.size < 2) return [];
                return members.flatMap((cluster) => {
                    const sizes = {
                        "mtu of cilium-config": see(cluster.kubernetes.config)?.mtu,
                        AWS_VPC_ENI_MTU: see(cluster.kubernetes.vpcCni)?.AWS_VPC_ENI_MTU,
                    };
                    return Object.entries(sizes)
                        .filter(([, size]) => Number(size) > LONG_PATH_MTU)
                        .map(([what, size]) => ({
                            ...about(cluster),
                            found: `${what} is ${size}`,
                            cause: "small requests pass, large ones are lost without a word",
                            remedy: [`set mtu to ${LONG_PATH_MTU} in ${stackFile(cluster.facts.stack)}`, ...putBack(cluster.facts.stack)],
                        }));
                });
            }),
    },
];
