import { contains } from "../network/cidr.ts";
import { columns } from "../text/columns.ts";
import type { PlanReport } from "./report.ts";

/** Number of list entries that are shown; the rest is counted. */
const MOST_SHOWN = 4;

/** The plan as text for people. */
export function planTable(report: PlanReport): string {
    const sections: [string, string[][]][] = [
        ["members", members(report)],
        ["addresses (no conflicts)", addresses(report)],
        ...report.meshes.map((mesh): [string, string[][]] => [
            `pairs of ${mesh.stack}, by ${mesh.network === "peering" ? "VPC peering" : "Transit Gateway"}`,
            pairs(mesh),
        ]),
        ["resources", resources(report)],
        ["quotas, not counting other resources of the accounts", quotas(report)],
        ["cost, USD per month", costs(report)],
        ["cost per use, USD", byUse(report)],
    ];
    const { from, to, source } = report.cost.prices;
    return [
        ...sections.filter(([, rows]) => rows.length > 0).map(([title, rows]) => `${title}\n${columns(rows, "  ")}`),
        ...notes(report),
        `prices: ${source}, as of ${from} to ${to}, without taxes, discounts and free tiers`,
    ].join("\n\n");
}

function members({ clusters, meshes }: PlanReport): string[][] {
    const meshOf = (name: string) => meshes.find((mesh) => mesh.members.includes(name))?.stack ?? "none";
    return [
        ["cluster", "id", "region", "account", "stack", "mesh", "nodes", "NAT", "Kubernetes", "Cilium", "wiring"],
        ...clusters.map((cluster) => [
            cluster.name,
            `${cluster.id}`,
            cluster.region,
            account(cluster),
            cluster.stack,
            meshOf(cluster.name),
            `${cluster.nodes.desired} ${cluster.nodes.instanceTypes[0]} (${cluster.nodes.min} to ${cluster.nodes.max})`,
            { zone: "per zone", single: "single", none: "none" }[cluster.nat],
            cluster.kubernetesVersion,
            cluster.ciliumVersion,
            cluster.wiring,
        ]),
    ];
}

/** "222222222222 as mesh": account and role. */
function account({ accountId, assumeRole }: PlanReport["clusters"][number]): string {
    return accountId ? `${accountId} as ${assumeRole?.split("/").at(-1)}` : "default";
}

function addresses({ addresses, clusters, free }: PlanReport): string[][] {
    const etcd = clusters.flatMap(({ etcdAddresses }) => etcdAddresses);
    // Clusters may share a service block.
    const rows = [
        ...Map.groupBy(addresses, ({ cidr, use, cluster }) => (use === "services" ? `${cidr} ${use}` : `${cidr} ${use} ${cluster}`)),
    ];
    const listed = rows.flatMap(([, [block, ...others]]) => {
        if (!block) return [];
        const { cidr, use, zone } = block;
        const endpoint = use === "private subnet" && etcd.find((address) => contains(cidr, `${address}/32`));
        const what = zone === undefined ? use : `${use}, ${zone}${endpoint ? `, etcd at ${endpoint}` : ""}`;
        return [[`${zone === undefined ? "" : "  "}${cidr}`, [block, ...others].map(({ cluster }) => cluster).join(", "), what]];
    });
    return [...listed, ["free", `ids ${abbreviate(free.ids.map(String))}`, abbreviate(free.blocks)]];
}

function pairs({ pairs, notHere }: PlanReport["meshes"][number]): string[][] {
    const groups = Map.groupBy(pairs, ({ regions, mtu }) => JSON.stringify([regions.toSorted(), mtu]));
    return [
        ["regions", "pairs", "largest packet", "clusters"],
        ...[...groups].map(([key, found]) => {
            const [[a, b], mtu] = JSON.parse(key) as [[string, string], number];
            const names = found.map(({ clusters }) => clusters.join(" and "));
            return [a === b ? `within ${a}` : `${a} and ${b}`, `${found.length}`, `${mtu} bytes`, abbreviate(names)];
        }),
        ...notHere.map((stack) => ["elsewhere", "", "", `${stack} belongs to another project: not checked`]),
    ];
}

function resources({ clusters, meshes }: PlanReport): string[][] {
    const stacks = [...clusters, ...meshes];
    const packages = [...new Set(stacks.flatMap(({ resources }) => Object.keys(resources.byType).map(packageOf)))].toSorted();
    return [
        ["stack", "all", ...packages],
        ...stacks.map(({ stack, resources: { total, byType } }) => {
            const count = (name: string) => Object.entries(byType).reduce((sum, [type, n]) => sum + (packageOf(type) === name ? n : 0), 0);
            return [stack, `${total}`, ...packages.map((name) => `${count(name) || ""}`)];
        }),
    ];
}

function packageOf(type: string): string {
    return type.split(":")[0] ?? "";
}

function quotas({ quotas }: PlanReport): string[][] {
    return [
        ["", "needed", "limit", "quota", "where", "code"],
        ...quotas.map(({ what, code, where, needed, limit }) => [
            needed > limit ? "raise" : "",
            `${needed}`,
            `${limit}`,
            what,
            where,
            code ?? "",
        ]),
    ];
}

function costs({ clusters, meshes, cost }: PlanReport): string[][] {
    const stacks = [...clusters, ...meshes];
    const rows = stacks.flatMap(({ stack, cost }) => [
        [stack, money(cost.monthly), ""],
        ...cost.items.map((item) => ["", money(item.monthly), `${item.count} × ${item.what}${elsewhere(item)}`]),
    ]);
    const all = ["total", money(cost.monthly), cost.unpriced.length > 0 ? "without items that have no price" : ""];
    const width = Math.max(...[...rows, all].map(([, amount = ""]) => amount.length));
    return [...rows, all].map(([stack = "", amount = "", what = ""]) => [stack, amount.padStart(width), what]);
}

function byUse({ cost }: PlanReport): string[][] {
    return cost.byUse.map((price) => [price.region, `${price.usd}`, `${price.unit} ${price.what}${elsewhere(price)}`]);
}

/** The region of the price, if the table has none for the item's region. */
function elsewhere({ region, pricesOf }: { region: string; pricesOf: string | null }): string {
    return pricesOf === null || pricesOf === region ? "" : ` (price of ${pricesOf})`;
}

function money(usd: number | null): string {
    return usd === null ? "?" : usd.toFixed(2);
}

function notes({ quotas, cost }: PlanReport): string[] {
    const over = quotas.filter(({ needed, limit, code }) => needed > limit && code !== null);
    const tight = quotas.filter(({ needed, limit, code }) => needed > limit && code === null);
    return [
        ...(over.length > 0
            ? [
                  'Quotas marked "raise" exceed the default of a new account. To see yours: `aws service-quotas get-service-quota --service-code <service> --quota-code <code>`.',
              ]
            : []),
        ...tight.map(
            ({ where, what }) =>
                `${where} has too few addresses for its largest node group (${what}): use a wider vpcCidr, fewer zones or a smaller nodeGroup.max.`,
        ),
        ...(cost.unpriced.length > 0 ? [`No price is known for ${abbreviate(cost.unpriced)}.`] : []),
    ];
}

/** "a, b, c, d and 7 more" */
function abbreviate(items: readonly string[]): string {
    const left = items.length - MOST_SHOWN;
    return `${items.slice(0, MOST_SHOWN).join(", ")}${left > 0 ? ` and ${left} more` : ""}`;
}
