import { describeLink, type Topology } from "./model.ts";

/** A mesh as a Mermaid flowchart, as GitHub and GitLab draw it in Markdown. */
export function topologyMermaid(topology: Topology): string {
    const { mesh, clusters, gateways, links } = topology;
    // Never the names themselves: some of them are words of Mermaid's ("end").
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
            ...here.map((one) => {
                const vpc = `VPC ${one.vpcCidrs.join(", ")}`;
                const etcd = `etcd ${one.etcd.join(", ")}`;
                const rows = [one.name, `id ${one.id}${one.state === "planned" ? ", planned" : ""}`, vpc, etcd];
                return `        ${nodes.get(`cluster ${one.name}`)}[${quoted(rows)}]`;
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

/** Rows of text in quotes. Everything that could mean something to Mermaid or to HTML becomes an entity, as Mermaid writes them. */
function quoted(rows: readonly string[]): string {
    const escaped = rows.map((row) => row.toWellFormed().replaceAll(/[^\w .,:/()-]/gu, (character) => `#${character.codePointAt(0)};`));
    return `"${escaped.join("<br/>")}"`;
}
