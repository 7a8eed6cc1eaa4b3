import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readProject } from "../../../cli/project/stack-files.ts";
import { plannedMembers } from "../../../core/plan/report.ts";
import { topologyMermaid } from "../../../core/topology/mermaid.ts";
import { type Topology, topology } from "../../../core/topology/model.ts";
import { PALETTES } from "../../../core/topology/palette.ts";
import { topologySvg } from "../../../core/topology/svg.ts";
import { member } from "../../members.ts";
import { PROJECT } from "../plan/stacks.ts";
import { hostile, topologies } from "./topologies.ts";

/** The same with a harmless letter for each letter that users or AWS have written. */
function harmless({ mesh, clusters, links, gateways, ...rest }: Topology): Topology {
    const plain = (text: string) => "x".repeat([...text].length);
    const maybe = (text: string | null) => (text === null ? null : plain(text));
    const names = new Map(clusters.map(({ name }, i) => [name, `${plain(name).slice(0, -1)}${i}`.slice(-[...name].length)]));
    return {
        ...rest,
        mesh: plain(mesh),
        clusters: clusters.map((cluster) => ({ ...cluster, name: names.get(cluster.name) ?? "", vpcId: maybe(cluster.vpcId) })),
        gateways: gateways.map((gateway) => ({ ...gateway, id: maybe(gateway.id) })),
        links: links.map((link) => ({
            ...link,
            ends: link.ends.map((end) => names.get(end) ?? end) as [string, string],
            id: maybe(link.id),
            detail: maybe(link.detail),
        })),
    };
}

test("no text breaks out of the SVG: everything but the texts is the same as with harmless texts", () => {
    const skeleton = (svg: string) => svg.replaceAll(/>[^<]*</g, "><");
    fc.assert(
        fc.property(topologies(hostile), (mesh) => {
            expect(skeleton(topologySvg(mesh))).toBe(skeleton(topologySvg(harmless(mesh))));
        }),
        { numRuns: 40 },
    );
});

test("no text breaks out of Mermaid's quotes", () => {
    const skeleton = (chart: string) => chart.replace(/^---\ntitle: .*\n/, "").replaceAll(/"[^"\n]*"/g, '""');
    fc.assert(
        fc.property(topologies(hostile), (mesh) => {
            const chart = topologyMermaid(mesh);
            expect(skeleton(chart)).toBe(skeleton(topologyMermaid(harmless(mesh))));
            // Quotes contain only what Mermaid takes as text, its entities, and line breaks.
            for (const [, text = ""] of chart
                .split("\n")
                .slice(3)
                .join("\n")
                .matchAll(/"([^"\n]*)"/g))
                expect(text.replaceAll("<br/>", "")).toMatch(/^([\w .,:/()-]|#\d+;)*$/);
        }),
        { numRuns: 40 },
    );
});

/** WCAG 2, "contrast ratio". */
function contrast(a: string, b: string): number {
    const luminance = (colour: string) => {
        const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
            const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
            return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const [light = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
}

test.each(Object.entries(PALETTES))("in %s every text has a contrast of 4.5:1, every line and border 3:1", (_, palette) => {
    expect(contrast("#ffffff", "#000000")).toBeCloseTo(21);
    const { background, card, border, text, muted, links, regions } = palette;
    for (const under of [background, card]) for (const colour of [text, muted]) expect(contrast(colour, under)).toBeGreaterThanOrEqual(4.5);
    for (const colour of [border, ...Object.values(links)]) expect(contrast(colour, background), colour).toBeGreaterThanOrEqual(3);
    for (const colour of regions) expect(contrast(colour, card), colour).toBeGreaterThanOrEqual(3);
});

test("every colour is in the picture, dark ones in the dark scheme, and there are no external resources", () => {
    const svg = topologySvg(drawn());
    const [light = "", dark = ""] = svg.split("@media (prefers-color-scheme:dark)");
    const colours = ({ links, regions, ...rest }: (typeof PALETTES)["light"]) => [
        ...Object.values(rest),
        ...Object.values(links),
        ...regions,
    ];
    for (const colour of colours(PALETTES.light)) expect(light).toContain(colour);
    for (const colour of colours(PALETTES.dark)) expect(dark).toContain(colour);
    expect(svg.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|href|url\(|@import|<script/);
    expect(svg).toMatch(
        /^<svg [^>]*role="img" aria-labelledby="title desc">\n<title id="title">mesh: 2 clusters, VPC peering<\/title>\n<desc id="desc">cluster1: id 1/,
    );
});

/** The two clusters of this repository, planned, or deployed with these ids. */
function drawn(vpcs: readonly string[] = [], connection?: string): Topology {
    const plan = readProject(".");
    const [mesh] = plan.meshes;
    if (!mesh) throw new Error("no mesh");
    const planned = plannedMembers(mesh, plan, PROJECT).members;
    const deployed = planned.flatMap((facts, i) => (vpcs[i] ? [member(facts.id, { ...facts, vpcId: vpcs[i] })] : []));
    return topology(
        { mesh: mesh.stack, network: mesh.config.network, planned },
        deployed,
        connection
            ? { members: Object.fromEntries(planned.map((facts) => [facts.name, facts])), connections: { "cluster1.cluster2": connection } }
            : undefined,
    );
}

test("the picture in the documentation, made in the lab, is what the command still draws", () => {
    const picture = readFileSync("docs/topology.svg", "utf8");
    const [connection] = /pcx-\w+/.exec(picture) ?? [];
    const vpcs = [...picture.matchAll(/>(vpc-\w+)</g)].map(([, id = ""]) => id);
    expect([vpcs.length, connection]).toEqual([2, expect.any(String)]);
    expect(picture).toBe(topologySvg(drawn(vpcs, connection)));
});
