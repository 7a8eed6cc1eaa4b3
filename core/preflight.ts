import type { PlannedFacts } from "./facts/planned.ts";
import type { ClusterFacts } from "./facts/schema.ts";
import { overlap } from "./network/cidr.ts";
import { distinct, ingressFrom, type NetworkMode, pairs, peersOf } from "./network/mesh.ts";
import type { IngressPolicy } from "./network/traffic.ts";
import { shortStackName, stackFile } from "./stack-names.ts";
import { minor } from "./versions.ts";

/** AWS quotas that a mesh can reach. The defaults of a new account are in core/settings/schema.ts. */
export interface Quotas {
    /** Active VPC peering connections per VPC. */
    peeringsPerVpc: number;
    /** Routes per route table, the VPC's own not counted. */
    routesPerTable: number;
    /** Inbound rules per security group. */
    rulesPerSecurityGroup: number;
}

/** What the mesh's own stack file decides. */
export interface MeshSettings {
    network: NetworkMode;
    ingress: IngressPolicy;
    quotas: Quotas;
    /** The mesh's stack file, as in "Pulumi.mesh.yaml". */
    file: string;
}

/** The largest packet that every path carries: peering between regions and a Transit Gateway stop at 8,500 bytes (EC2 user guide, "Network MTU"). */
export const LONG_PATH_MTU = 8500;

/** The default route of a table. */
const OTHER_ROUTES = 1;
/** EKS's own rule for traffic among the nodes, and the one for the etcd's load balancer. */
const OTHER_RULES = 2;

/**
 * Everything that makes these clusters unfit for one mesh, each with the stack files concerned and what to do. Empty when they fit.
 *
 * @param now the time against which certificates are held
 */
export function meshProblems(members: readonly ClusterFacts[], settings: MeshSettings, now: Date): string[] {
    return [...fitProblems(members, settings), ...members.flatMap((member) => certificateProblems(member, now))];
}

/** The same as far as the stack files decide it, so before anything is deployed. */
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
    return pairs(members).flatMap(([a, b]) => [
        ...(a.name === b.name
            ? [
                  `${files(a, b)} both have name "${a.name}": Cilium tells clusters apart by it; give each its own before its first \`pulumi up\``,
              ]
            : []),
        ...(a.id === b.id
            ? [
                  `${files(a, b)} both have id ${a.id}: security identities would be mixed up; give each its own (1 to 127) before it joins the mesh`,
              ]
            : []),
    ]);
}

/** Address blocks that must differ, by what goes wrong where two overlap. */
function addressProblems(members: readonly PlannedFacts[]): string[] {
    const cross = (a: PlannedFacts, b: PlannedFacts) => [
        ...a.vpcCidrs.flatMap((vpc) => [
            ...clash(
                overlap(vpc, b.serviceCidr),
                a,
                `VPC block ${vpc}`,
                b,
                `service block ${b.serviceCidr}`,
                `pods of ${b.name} would take those addresses for their own services`,
            ),
            ...clash(
                overlap(vpc, b.ciliumPoolCidr),
                a,
                `VPC block ${vpc}`,
                b,
                `Cilium pool ${b.ciliumPoolCidr}`,
                `router addresses of ${b.name} would be taken for nodes or pods of ${a.name}`,
            ),
        ]),
        ...clash(
            overlap(a.serviceCidr, b.ciliumPoolCidr),
            a,
            `service block ${a.serviceCidr}`,
            b,
            `Cilium pool ${b.ciliumPoolCidr}`,
            `router addresses of ${b.name} would be taken for services of ${a.name}`,
        ),
    ];
    return pairs(members).flatMap(([a, b]) => [
        ...a.vpcCidrs.flatMap((x) =>
            b.vpcCidrs.flatMap((y) =>
                clash(
                    overlap(x, y),
                    a,
                    `VPC block ${x}`,
                    b,
                    `VPC block ${y}`,
                    "AWS refuses to connect them and pods could not tell whom they call",
                ),
            ),
        ),
        ...clash(
            overlap(a.ciliumPoolCidr, b.ciliumPoolCidr),
            a,
            `Cilium pool ${a.ciliumPoolCidr}`,
            b,
            `Cilium pool ${b.ciliumPoolCidr}`,
            "two nodes would have one router address",
        ),
        ...cross(a, b),
        ...cross(b, a),
    ]);
}

function clash(found: boolean, a: PlannedFacts, ofA: string, b: PlannedFacts, ofB: string, consequence: string): string[] {
    return found
        ? [
              `${ofA} of ${a.name} (${stackFile(a.stack)}) and ${ofB} of ${b.name} (${stackFile(b.stack)}) overlap: ${consequence}; change one of them`,
          ]
        : [];
}

/** More than a minor apart Cilium does not promise to mesh, and Kubernetes may have dropped an API that the other cluster's workloads, failing over, need. */
export function versionProblems(members: readonly PlannedFacts[]): string[] {
    const kinds = [
        { what: "Kubernetes", key: "kubernetesVersion" },
        { what: "Cilium", key: "ciliumVersion" },
    ] as const;
    return kinds.flatMap(({ what, key }) => {
        const [newest] = members.toSorted((a, b) => minor(b[key]) - minor(a[key]));
        if (!newest) return [];
        return members
            .filter((member) => minor(newest[key]) - minor(member[key]) > 1)
            .map(
                (member) =>
                    `${member.name} runs ${what} ${member[key]} and ${newest.name} ${newest[key]}, more than a minor apart: upgrade ${member.name} first (${key === "ciliumVersion" ? "cilium.version" : key} in ${stackFile(member.stack)})`,
            );
    });
}

function datapathProblems(members: readonly PlannedFacts[], { network }: MeshSettings): string[] {
    const [first] = members;
    if (!first) return [];
    const differs = (key: "datapath" | "maxConnectedClusters") =>
        members
            .filter((member) => member[key] !== first[key])
            .map(
                (member) =>
                    `${first.name} has ${key} ${first[key]} and ${member.name} ${member[key]}: they must be alike; deploy both with one version of this program`,
            );

    const regions = distinct(members.map((member) => member.region));
    const longPath = network === "transit-gateway" || regions.length > 1;
    return [
        ...differs("datapath"),
        ...differs("maxConnectedClusters"),
        ...members
            .filter((member) => longPath && member.mtu > LONG_PATH_MTU)
            .map(
                (member) =>
                    `${member.name} sends packets of up to ${member.mtu} bytes, but ${network === "transit-gateway" ? "a Transit Gateway" : "peering between regions"} drops those over ${LONG_PATH_MTU}: set mtu to ${LONG_PATH_MTU} in ${stackFile(member.stack)}; pods take it when they are next created`,
            ),
    ];
}

/** What the mesh takes of a member's quotas. */
export function meshNeeds(self: PlannedFacts, members: readonly PlannedFacts[], network: NetworkMode, ingress: IngressPolicy) {
    const peers = peersOf(self, members);
    const admitted = peers.flatMap((peer) => ingressFrom(peer, self, ingress));
    return {
        /** Peering connections of its VPC. */
        peerings: network === "peering" ? peers.length : 0,
        /** Routes in each of its tables. */
        routes: peers.flatMap((peer) => peer.vpcCidrs).length + OTHER_ROUTES,
        /** Inbound rules of its largest security group. */
        rules:
            OTHER_RULES +
            Math.max(0, ...self.nodeSecurityGroupIds.map((id) => admitted.filter((rule) => rule.securityGroupId === id).length)),
    };
}

function quotaProblems(members: readonly PlannedFacts[], { network, ingress, quotas, file }: MeshSettings): string[] {
    const raise = (key: keyof Quotas) => `raise the quota with AWS and then quotas.${key} in ${file}`;
    return members.flatMap((self) => {
        const { peerings, routes, rules } = meshNeeds(self, members, network, ingress);
        return [
            ...(peerings > quotas.peeringsPerVpc
                ? [
                      `the VPC of ${self.name} would have ${peerings} peering connections, over the quota of ${quotas.peeringsPerVpc}: ${raise("peeringsPerVpc")} (125 at most), or set network to transit-gateway`,
                  ]
                : []),
            ...(routes > quotas.routesPerTable
                ? [
                      `a route table of ${self.name} would have ${routes} routes, over the quota of ${quotas.routesPerTable}: ${raise("routesPerTable")} (1,000 at most)`,
                  ]
                : []),
            ...(rules > quotas.rulesPerSecurityGroup
                ? [
                      `the nodes' security group of ${self.name} would have ${rules} inbound rules, over the quota of ${quotas.rulesPerSecurityGroup}: ${raise("rulesPerSecurityGroup")}, or set ingress to all, which is one rule for each peer`,
                  ]
                : []),
        ];
    });
}

function certificateProblems(member: ClusterFacts, now: Date): string[] {
    const over = new Date(member.etcdCertificatesExpire) <= now;
    return over
        ? [
              `the etcd certificates of ${member.name} ended on ${member.etcdCertificatesExpire}: run \`pulumi up --refresh -s ${shortStackName(member.stack)}\`, which renews them`,
          ]
        : [];
}

function files(a: PlannedFacts, b: PlannedFacts): string {
    return `${stackFile(a.stack)} and ${stackFile(b.stack)}`;
}
