import { describeLink, type Topology } from "./model.ts";

/** A mesh as a Mermaid flowchart, which GitHub and GitLab draw in Markdown. */
export function topologyMermaid(topology: Topology): string {
    const { mesh, clusters, gateways, links } = topology;
    // Not the names themselves, because some are Mermaid keywords ("end").
    const nodes = new Map([
        ...clusters.map(({ name }, i): [string, string] => [`cluster ${name}`, `c${i}`]),
        ...gateways.map(({ region }, i): [string, string] => [`gateway ${region}`, `g${i}`]),
    ]);
    const regions = [...Map.groupBy(clusters, ({ region }) => region)];
    return [
        "---",
        `title: ${JSON.stringify(`${mesh}: ${clusters.length} clusters`)}`,
        "---",
        "flowchart LR",
        ...regions.flatMap(([region, here], i) => [
            `    subgraph r${i} [${quoted([region])}]`,
            ...here.map((cluster) => {
                const vpc = `VPC ${cluster.vpcCidrs.join(", ")}`;
                const etcd = `etcd ${cluster.etcd.join(", ")}`;
                const rows = [cluster.name, `id ${cluster.id}${cluster.state === "planned" ? ", planned" : ""}`, vpc, etcd];
                return `        ${nodes.get(`cluster ${cluster.name}`)}[${quoted(rows)}]`;
            }),
            ...gateways
                .filter((gateway) => gateway.region === region)
                .map(({ id }) => `        ${nodes.get(`gateway ${region}`)}{{${quoted(["Transit Gateway", ...(id ? [id] : [])])}}}`),
            "    end",
        ]),
        ...links.map((link) => {
            const [a, b] = link.ends;
            const from = nodes.get(`${link.kind === "gateway-peering" ? "gateway" : "cluster"} ${a}`);
            const to = nodes.get(`${link.kind === "peering" ? "cluster" : "gateway"} ${b}`);
            const line = { connected: "<-->", planned: "<-.->", broken: "x-.-x" }[link.state];
            return `    ${from} ${line}|${quoted([describeLink(link)])}| ${to}`;
        }),
        "",
    ].join("\n");
}

/** Rows of text in quotes. Characters with a meaning in Mermaid or HTML become Mermaid's entities. */
function quoted(rows: readonly string[]): string {
    const escaped = rows.map((row) => row.toWellFormed().replaceAll(/[^\w .,:/()-]/gu, (character) => `#${character.codePointAt(0)};`));
    return `"${escaped.join("<br/>")}"`;
}
