import { contains } from "../network/cidr.ts";
import { ingressFrom, routesTo } from "../network/mesh.ts";
import { describeTraffic } from "../network/traffic.ts";
import { LONG_PATH_MTU } from "../preflight.ts";
import { stackFile } from "../stack-names.ts";
import { admits, carriesPackets, connectionOf, wrongRoute } from "./routes.ts";
import { aboutCluster, aboutPath, clusterPairs, type Finding, firstFew, kubectl, members, paths, type Rule, restore } from "./rule.ts";

const RESTORE_MESH = "npx clustermesh up --refresh <mesh>";
const RESTORE_CLUSTER = "npx clustermesh up --refresh <cluster>";

/** What connects a cluster to its peers: VPC connections, routes, security groups, the etcd's load balancer, packets. */
export const NETWORK_RULES: readonly Rule[] = [
    {
        id: "connection-inactive",
        failure: "The VPCs of two clusters are not connected: the peering or the attachment to the Transit Gateway is not active.",
        looksAt: "state of each peering connection, or of each VPC's attachment to its region's Transit Gateway",
        cause: "Routes to the connection are black holes: no packet passes between these clusters.",
        remedy: [RESTORE_MESH],
        find: (scope, read) => [
            ...clusterPairs(scope).flatMap(({ mesh, ends: [a, b] }) => {
                const id = connectionOf(mesh, a, b);
                if (mesh.network !== "peering" || !id) return [];
                const seen = [a, b].map((end) => read(end.aws.connections)).filter((states) => states !== undefined);
                if (seen.length === 0 || seen.some((states) => carriesPackets(states[id]))) return [];
                const state = seen.map((states) => states[id]).find((known) => known) ?? "gone";
                return [
                    {
                        ...aboutPath(a, b),
                        subject: `${a.facts.name} ↔ ${b.facts.name}`,
                        found: `peering ${id} is ${state}, not active`,
                        remedy: restore(mesh.stack),
                    },
                ];
            }),
            ...members(scope).flatMap(({ mesh, cluster }) => {
                const gateway = mesh.connections[cluster.facts.region];
                if (mesh.network !== "transit-gateway" || !gateway) return [];
                const states = read(cluster.aws.connections);
                if (!states || carriesPackets(states[gateway])) return [];
                return [
                    {
                        ...aboutCluster(cluster),
                        found: `the attachment of ${cluster.facts.vpcId} to ${gateway} is ${states[gateway] ?? "gone"}, not available`,
                        remedy: restore(mesh.stack),
                    },
                ];
            }),
        ],
    },
    {
        id: "route-missing",
        failure: "A route table has no route to a peer, or a route to another target.",
        looksAt: "every route table that a subnet of the cluster uses, for each CIDR block of every peer's VPC",
        cause: "Nodes and pods in that table's subnets do not reach the peer. Through a NAT gateway, their packets arrive with another source address, or not at all.",
        remedy: [RESTORE_MESH, "aws ec2 describe-route-tables --region <region> --route-table-ids <table>"],
        find: (scope, read) =>
            paths(scope).flatMap(({ mesh, from, to }) => {
                const routes = read(from.aws.routes);
                const target = connectionOf(mesh, from, to);
                if (!routes || !target) return [];
                const states = "value" in from.aws.connections ? from.aws.connections.value : { [target]: "active" };
                const connected = carriesPackets(states[target]);
                return routesTo(from.facts, to.facts).flatMap(({ routeTableId: table, destination: block }) => {
                    const wrong = wrongRoute(routes, { table, block, target, connected });
                    if (!wrong) return [];
                    return [
                        {
                            ...aboutPath(from, to),
                            found:
                                wrong === "none"
                                    ? `table ${table} has no route for ${block} to ${target}`
                                    : `table ${table} routes ${block} by ${wrong.destination} to ${wrong.target}${wrong.state === "active" ? "" : ` (${wrong.state})`} instead of ${target}`,
                            remedy: [
                                ...restore(mesh.stack),
                                `aws ec2 describe-route-tables --region ${from.facts.region} --route-table-ids ${table}`,
                            ],
                        },
                    ];
                });
            }),
    },
    {
        id: "ingress-missing",
        failure: "A security group does not admit a peer: its agents to the etcd, or its nodes and pods.",
        looksAt: "ingress rules of the etcd load balancer's and the nodes' security groups, for each CIDR block of every peer's VPC",
        cause: "A rule was removed or changed, so the security group drops the peer's packets.",
        remedy: [RESTORE_MESH, "aws ec2 describe-security-group-rules --region <region> --filters Name=group-id,Values=<group>"],
        find: (scope, read) =>
            paths(scope).flatMap(({ mesh, from, to }) => {
                const rules = read(to.aws.rules);
                if (!rules) return [];
                return ingressFrom(from.facts, to.facts, mesh.ingress)
                    .filter((wanted) => !rules.some((rule) => admits(rule, wanted)))
                    .map((wanted) => ({
                        ...aboutPath(from, to),
                        found: `${wanted.securityGroupId} of ${to.facts.name} does not admit ${describeTraffic(wanted)} from ${wanted.source}`,
                        cause: `A rule is missing: ${wanted.description}.`,
                        remedy: [
                            ...restore(mesh.stack),
                            `aws ec2 describe-security-group-rules --region ${to.facts.region} --filters Name=group-id,Values=${wanted.securityGroupId}`,
                        ],
                    }));
            }),
    },
    {
        id: "balancer-missing",
        failure: "The load balancer of a cluster's etcd does not exist, is not active, or has other addresses than the stack published.",
        looksAt: "the network load balancer with the etcd's security group",
        cause: "No peer reaches the cluster's etcd.",
        remedy: [RESTORE_CLUSTER],
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) => {
                const balancer = read(cluster.aws.balancer);
                if (balancer === undefined) return [];
                const { addresses, securityGroupId } = cluster.facts.etcd;
                const absent = addresses.filter((address) => !balancer?.addresses.includes(address));
                if (balancer?.state === "active" && absent.length === 0) return [];
                return [
                    {
                        ...aboutCluster(cluster),
                        found: !balancer
                            ? `no load balancer has the security group ${securityGroupId}`
                            : balancer.state !== "active"
                              ? `${balancer.name} is ${balancer.state}, not active`
                              : `${balancer.name} has the addresses ${balancer.addresses.join(", ")}, but not ${firstFew(absent)}`,
                        remedy: restore(cluster.facts.stack),
                    },
                ];
            }),
    },
    {
        id: "targets-unhealthy",
        failure: "The load balancer of a cluster's etcd has no targets, or unhealthy ones.",
        looksAt: "health of the targets of the etcd's load balancer",
        cause: "clustermesh-apiserver does not answer behind the node port, the nodes do not admit the load balancer, or the Auto Scaling group is not attached to the target group.",
        remedy: [RESTORE_CLUSTER, "in <cluster>: kubectl -n kube-system get pods -l k8s-app=clustermesh-apiserver -o wide"],
        find: ({ clusters }, read) =>
            clusters.flatMap((cluster) => {
                const balancer = read(cluster.aws.balancer);
                // Targets come and go with the nodes.
                const targets = balancer?.targets.filter(({ state }) => state !== "initial" && state !== "draining") ?? [];
                const unhealthy = targets.filter(({ state }) => state !== "healthy");
                if (!balancer || (unhealthy.length === 0 && balancer.targets.length > 0)) return [];
                const [first] = unhealthy;
                return [
                    {
                        ...aboutCluster(cluster),
                        found: !first
                            ? `${balancer.name} has no targets`
                            : `${unhealthy.length} of ${targets.length} targets of ${balancer.name} are not healthy: ${firstFew(unhealthy.map(({ id, state }) => `${id} ${state}`))}${first.reason ? ` (${first.reason})` : ""}`,
                        cause: first
                            ? "clustermesh-apiserver does not answer behind the node port, or the nodes do not admit the load balancer."
                            : "No node is in the target group: the Auto Scaling group is no longer attached to it.",
                        remedy: [
                            ...restore(cluster.facts.stack),
                            kubectl(cluster, "-n kube-system get pods -l k8s-app=clustermesh-apiserver -o wide"),
                        ],
                    },
                ];
            }),
    },
    {
        id: "source-nat",
        failure: "The VPC CNI translates the source address of packets to a peer.",
        looksAt:
            "AWS_VPC_K8S_CNI_EXTERNALSNAT and AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS of the DaemonSet aws-node, against the CIDR blocks of every peer",
        cause: "Peers see the node's address instead of the pod's: network policies do not match, and replies may get lost.",
        remedy: [RESTORE_CLUSTER],
        find: (scope, read) =>
            members(scope).flatMap(({ cluster }): Finding[] => {
                const env = read(cluster.kubernetes.vpcCni);
                if (!env || env.AWS_VPC_K8S_CNI_EXTERNALSNAT?.toLowerCase() === "true") return [];
                const excluded = (env.AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS ?? "").split(",").map((block) => block.trim());
                const blocks = scope.clusters.filter((member) => member !== cluster).flatMap(({ facts }) => facts.vpcCidrs);
                const translated = blocks.filter((block) => !excluded.some((range) => range !== "" && contains(range, block)));
                if (translated.length === 0) return [];
                return [
                    {
                        subject: cluster.facts.name,
                        clusters: scope.clusters.map(({ facts }) => facts.name),
                        found: `AWS_VPC_K8S_CNI_EXTERNALSNAT is ${env.AWS_VPC_K8S_CNI_EXTERNALSNAT ?? "not set"}, and AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS (${excluded.filter(Boolean).join(", ") || "not set"}) does not cover ${firstFew(translated)}`,
                        remedy: restore(cluster.facts.stack),
                    },
                ];
            }),
    },
    {
        id: "mtu-too-large",
        failure: `Pods send packets larger than the path to a peer carries: Transit Gateways and peering between regions carry at most ${LONG_PATH_MTU} bytes.`,
        looksAt: "mtu of cilium-config and AWS_VPC_ENI_MTU of the DaemonSet aws-node, where the mesh has such a path",
        cause: "Small requests pass, and large ones are silently lost.",
        remedy: [`${RESTORE_CLUSTER}   # after setting mtu to ${LONG_PATH_MTU} in <stack file>`],
        find: (scope, read) => {
            const regions = new Set(scope.clusters.map(({ facts }) => facts.region));
            return members(scope).flatMap(({ mesh, cluster }) => {
                if (mesh.network !== "transit-gateway" && regions.size < 2) return [];
                const sizes = {
                    "mtu of cilium-config": read(cluster.kubernetes.config)?.mtu,
                    AWS_VPC_ENI_MTU: read(cluster.kubernetes.vpcCni)?.AWS_VPC_ENI_MTU,
                };
                return Object.entries(sizes)
                    .filter(([, size]) => Number(size) > LONG_PATH_MTU)
                    .map(([what, size]) => ({
                        ...aboutCluster(cluster),
                        found: `${what} is ${size}`,
                        remedy: restore(cluster.facts.stack).map(
                            (command) => `${command}   # after setting mtu to ${LONG_PATH_MTU} in ${stackFile(cluster.facts.stack)}`,
                        ),
                    }));
            });
        },
    },
];
