import { escapeXml } from "../text/xml.ts";
import { type Card, type Line, STYLES } from "./cards.ts";
import { layout, type Picture } from "./layout.ts";
import { describeLink, type Link, type Topology } from "./model.ts";
import { PALETTES, type Palette } from "./palette.ts";

/** A mesh as SVG: one file for light and dark, without external resources. */
export function topologySvg(topology: Topology): string {
    const picture = layout(topology);
    const { width, height, title, cards, links, labels, legend, notes } = picture;
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">`,
        `<title id="title">${escapeXml(title.text)}</title>`,
        `<desc id="desc">${escapeXml(description(topology))}</desc>`,
        `<style>${style()}</style>`,
        `<rect class="background" width="${width}" height="${height}" rx="8"/>`,
        text(title),
        ...links.map(linkPath),
        ...cards.map(card),
        ...labels.flatMap(({ x, y, width, height, lines }) => [
            `<rect class="background" x="${x}" y="${y}" width="${width}" height="${height}" rx="4"/>`,
            ...lines.map(text),
        ]),
        ...legend.flatMap(({ x, y, line, state }) => [`<path class="link ${state}" d="M${x} ${y + 9}h34"/>`, text(line)]),
        ...notes.map(text),
        "</svg>",
        "",
    ].join("\n");
}

/** Text alternative for people who cannot see the picture. */
function description({ clusters, gateways, links }: Topology): string {
    return [
        ...clusters.map(({ name, id, region, vpcCidrs, state }) => `${name}: id ${id}, ${region}, VPC ${vpcCidrs.join(", ")}, ${state}.`),
        ...gateways.map(({ region, id, state }) => `Transit Gateway ${id ?? ""} in ${region}, ${state}.`),
        ...links.map((link) => `${link.ends.join(" and ")}: ${describeLink(link)}.`),
    ].join("\n");
}

function linkPath({ from, to, via, link }: Picture["links"][number]): string {
    const curve = via ? `Q${via.x} ${via.y} ${to.x} ${to.y}` : `L${to.x} ${to.y}`;
    const about = `<title>${escapeXml(linkTitle(link))}</title>`;
    return `<path class="link ${link.state}" d="M${from.x} ${from.y}${curve}">${about}</path>`;
}

function linkTitle(link: Link): string {
    return `${link.ends.join(" and ")}: ${describeLink(link)}`;
}

function card({ x, y, width, height, lines, planned, region }: Card): string {
    const stripe =
        region === undefined ? "" : `<path class="region${region % PALETTES.light.regions.length}" d="M${x + 3} ${y + 8}v${height - 16}"/>`;
    return `<g><rect class="card${planned ? " planned" : ""}" x="${x}" y="${y}" width="${width}" height="${height}" rx="8"/>${stripe}${lines.map(text).join("")}</g>`;
}

function text({ text, style, x, y, anchor }: Line): string {
    // xml:space keeps the indentation of the column of addresses.
    return `<text class="${style}" x="${x}" y="${y}"${anchor ? ` text-anchor="${anchor}"` : ""} xml:space="preserve">${escapeXml(text)}</text>`;
}

const SANS = "-apple-system,'Segoe UI',Roboto,'Noto Sans',Helvetica,Arial,sans-serif";
const MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";

function style(): string {
    const fonts = Object.entries(STYLES).map(
        ([name, { size, weight, mono }]) => `.${name}{font:${weight} ${size}px ${mono ? MONO : SANS}}`,
    );
    return [
        ...fonts,
        ".link{fill:none;stroke-width:2}.link.planned{stroke-dasharray:6 5}.link.broken{stroke-dasharray:2 4;stroke-width:3}",
        ".card{stroke-width:1.2}.card.planned{stroke-dasharray:6 5}[class^=region]{stroke-width:5;stroke-linecap:round}",
        colours(PALETTES.light),
        `@media (prefers-color-scheme:dark){${colours(PALETTES.dark)}}`,
    ].join("");
}

function colours({ background, card, border, text, muted, links, regions }: Palette): string {
    const plain = Object.keys(STYLES).filter((style) => style !== "muted");
    return [
        `.background{fill:${background}}.card{fill:${card};stroke:${border}}`,
        `${plain.map((style) => `.${style}`).join(",")}{fill:${text}}.muted{fill:${muted}}`,
        ...Object.entries(links).map(([state, colour]) => `.link.${state}{stroke:${colour}}`),
        ...regions.map((colour, i) => `.region${i}{stroke:${colour}}`),
    ].join("");
}
