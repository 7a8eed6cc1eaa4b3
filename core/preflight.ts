import type { PlannedFacts } from "./facts/planned.ts";
import type { ClusterFacts } from "./facts/schema.ts";
import { overlap } from "./network/cidr.ts";
import { distinct, ingressFrom, type NetworkMode, pairs, peersOf } from "./network/mesh.ts";
import type { IngressPolicy } from "./network/traffic.ts";
import { shortStackName, stackFile } from "./stack-names.ts";
import { minor } from "./versions.ts";

/** AWS quotas that a mesh can reach. The defaults of a new account are in core/settings/schema.ts. */
interface Quotas {
    /** Active VPC peering connections per VPC. */
    peeringsPerVpc: number;
    /** Routes per route table, the VPC's own not counted. */
    routesPerTable: number;
    /** Inbound rules per security group. */
    rulesPerSecurityGroup: number;
}

/** The settings of the mesh that preflight needs. */
export interface MeshSettings {
    network: NetworkMode;
    ingress: IngressPolicy;
    quotas: Quotas;
    /** The mesh's stack file, such as "Pulumi.mesh.yaml". */
    file: string;
}

/** Largest packet, in bytes, that every path carries: peering between regions and Transit Gateways drop larger ones (EC2 user guide, "Network MTU"). */
export const LONG_PATH_MTU = 8500;

/** The default route of a table. */
const OTHER_ROUTES = 1;
/** EKS's own rule for traffic among the nodes, and the rule for the load balancer of the etcd. */
const OTHER_RULES = 2;

/**
 * Every reason why these clusters cannot form a mesh, each with the stack files concerned and how to fix it. Empty when they can.
 *
 * @param now the time at which certificates must be valid
 */
export function meshProblems(members: readonly ClusterFacts[], settings: MeshSettings, now: Date): string[] {
    return [...fitProblems(members, settings), ...members.flatMap((member) => certificateProblems(member, now))];
}

/** The reasons that the stack files alone show, before anything is deployed. */
export function fitProblems(members: readonly PlannedFacts[], settings: MeshSettings): string[] {
    return [
        ...identityProblems(members),
        ...addressProblems(members),
        ...versionProblems(members),
        ...datapathProblems(members, settings),
        ...quotaProblems(members, settings),
    ];
}

function identityProblems(members: readonly PlannedFacts[]): string[] {
    return pairs(members).flatMap(([a, b]) => {
        const files = `${stackFile(a.stack)} and ${stackFile(b.stack)}`;
        return [
            ...problemIf(
                a.name === b.name,
                `${files} both have name "${a.name}", by which Cilium identifies clusters: give each cluster its own before its first \`pulumi up\``,
            ),
            ...problemIf(
                a.id === b.id,
                `${files} both have id ${a.id}: security identities would be mixed up; give each cluster its own id (1 to 127) before it joins the mesh`,
            ),
        ];
    });
}

/** An address block of a cluster, with its name in problems. */
interface Block {
    owner: PlannedFacts;
    what: string;
    cidr: string;
}

function blocksOf(owner: PlannedFacts) {
    return {
        vpcs: owner.vpcCidrs.map((cidr): Block => ({ owner, what: "VPC block", cidr })),
        services: { owner, what: "service block", cidr: owner.serviceCidr },
        pool: { owner, what: "Cilium pool", cidr: owner.ciliumPoolCidr },
    };
}

/** Blocks of two clusters that overlap but must not, each with the consequence. */
function addressProblems(members: readonly PlannedFacts[]): string[] {
    return pairs(members).flatMap(([first, second]) => {
        const [a, b] = [blocksOf(first), blocksOf(second)];
        return [
            ...a.vpcs.flatMap((x) =>
                b.vpcs.flatMap((y) =>
                    clash(x, y, "AWS refuses to connect the VPCs, and pods could not tell which cluster an address belongs to"),
                ),
            ),
            ...clash(a.pool, b.pool, "two nodes would have the same router address"),
            ...crossProblems(a, b),
            ...crossProblems(b, a),
        ];
    });
}

/** Blocks of `a` that overlap blocks of another kind of `b`. */
function crossProblems(a: ReturnType<typeof blocksOf>, b: ReturnType<typeof blocksOf>): string[] {
    const other = b.pool.owner.name;
    return [
        ...a.vpcs.flatMap((vpc) => [
            ...clash(vpc, b.services, `pods of ${other} would send traffic for those addresses to their own Services`),
            ...clash(vpc, b.pool, `router addresses of ${other} would be mistaken for nodes or pods of ${vpc.owner.name}`),
        ]),
        ...clash(a.services, b.pool, `router addresses of ${other} would be mistaken for Services of ${a.services.owner.name}`),
    ];
}

function clash(a: Block, b: Block, consequence: string): string[] {
    const describe = ({ owner, what, cidr }: Block) => `${what} ${cidr} of ${owner.name} (${stackFile(owner.stack)})`;
    return problemIf(overlap(a.cidr, b.cidr), `${describe(a)} and ${describe(b)} overlap: ${consequence}; change one of them`);
}

/**
 * Versions that are more than one minor apart. Cilium does not support that within a mesh, and Kubernetes may have removed an API that workloads need when they
 * fail over.
 */
export function versionProblems(members: readonly PlannedFacts[]): string[] {
    const kinds = [
        { what: "Kubernetes", key: "kubernetesVersion", setting: "kubernetesVersion" },
        { what: "Cilium", key: "ciliumVersion", setting: "cilium.version" },
    ] as const;
    return kinds.flatMap(({ what, key, setting }) => {
        const [newest] = members.toSorted((a, b) => minor(b[key]) - minor(a[key]));
        if (!newest) return [];
        return members
            .filter((member) => minor(newest[key]) - minor(member[key]) > 1)
            .map(
                (member) =>
                    `${member.name} runs ${what} ${member[key]} and ${newest.name} ${newest[key]}, more than one minor version apart: upgrade ${member.name} first (${setting} in ${stackFile(member.stack)})`,
            );
    });
}

function datapathProblems(members: readonly PlannedFacts[], { network }: MeshSettings): string[] {
    const [first] = members;
    if (!first) return [];
    const differences = (key: "datapath" | "maxConnectedClusters") =>
        members
            .filter((member) => member[key] !== first[key])
            .map(
                (member) =>
                    `${first.name} has ${key} ${first[key]} and ${member.name} has ${member[key]}: they must be equal; deploy both with the same version of this program`,
            );

    const regions = distinct(members.map((member) => member.region));
    const longPath = network === "transit-gateway" || regions.length > 1;
    const path = network === "transit-gateway" ? "a Transit Gateway" : "peering between regions";
    return [
        ...differences("datapath"),
        ...differences("maxConnectedClusters"),
        ...members.flatMap((member) =>
            problemIf(
                longPath && member.mtu > LONG_PATH_MTU,
                `${member.name} sends packets of up to ${member.mtu} bytes, but ${path} drops packets over ${LONG_PATH_MTU}: set mtu to ${LONG_PATH_MTU} in ${stackFile(member.stack)}; pods use it when they are next created`,
            ),
        ),
    ];
}

/** What the mesh needs of a member's quotas. */
export function meshNeeds(self: PlannedFacts, members: readonly PlannedFacts[], network: NetworkMode, ingress: IngressPolicy) {
    const peers = peersOf(self, members);
    const admitted = peers.flatMap((peer) => ingressFrom(peer, self, ingress));
    const rulesPerGroup = self.nodeSecurityGroupIds.map((id) => admitted.filter((rule) => rule.securityGroupId === id).length);
    return {
        /** Peering connections of its VPC. */
        peerings: network === "peering" ? peers.length : 0,
        /** Routes in each of its tables. */
        routes: peers.flatMap((peer) => peer.vpcCidrs).length + OTHER_ROUTES,
        /** Inbound rules of its largest security group. */
        rules: OTHER_RULES + Math.max(0, ...rulesPerGroup),
    };
}

function quotaProblems(members: readonly PlannedFacts[], { network, ingress, quotas, file }: MeshSettings): string[] {
    const raise = (key: keyof Quotas) => `raise the quota with AWS and then quotas.${key} in ${file}`;
    return members.flatMap((self) => {
        const { peerings, routes, rules } = meshNeeds(self, members, network, ingress);
        return [
            ...problemIf(
                peerings > quotas.peeringsPerVpc,
                `the VPC of ${self.name} would have ${peerings} peering connections, over the quota of ${quotas.peeringsPerVpc}: ${raise("peeringsPerVpc")} (at most 125), or set network to transit-gateway`,
            ),
            ...problemIf(
                routes > quotas.routesPerTable,
                `a route table of ${self.name} would have ${routes} routes, over the quota of ${quotas.routesPerTable}: ${raise("routesPerTable")} (at most 1,000)`,
            ),
            ...problemIf(
                rules > quotas.rulesPerSecurityGroup,
                `the nodes' security group of ${self.name} would have ${rules} inbound rules, over the quota of ${quotas.rulesPerSecurityGroup}: ${raise("rulesPerSecurityGroup")}, or set ingress to all, which needs one rule per peer`,
            ),
        ];
    });
}

function certificateProblems(member: ClusterFacts, now: Date): string[] {
    return problemIf(
        new Date(member.etcdCertificatesExpire) <= now,
        `the etcd certificates of ${member.name} expired on ${member.etcdCertificatesExpire}: run \`pulumi up --refresh -s ${shortStackName(member.stack)}\`, which renews them`,
    );
}

function problemIf(wrong: boolean, problem: string): string[] {
    return wrong ? [problem] : [];
}
