import type { Link, LinkState, Topology } from "./model.ts";

/** In pixels, from the upper left corner. */
export interface Box {
    x: number;
    y: number;
    width: number;
    height: number;
}

export interface Point {
    x: number;
    y: number;
}

/** Text style. */
export type Style = "title" | "name" | "text" | "muted" | "mono";

/** A line of text. `x` and `y` are the start of its baseline, or the point of it that `anchor` names. */
export interface Line {
    text: string;
    style: Style;
    x: number;
    y: number;
    anchor?: "middle" | "end";
}

/** A cluster or a Transit Gateway. */
export interface Card extends Box {
    lines: Line[];
    planned: boolean;
    /** Index of the region's colour; undefined: a gateway. */
    region?: number;
}

/** The text in the middle of a link. */
export interface Label extends Box {
    lines: Line[];
    state: LinkState;
}

/** Text sizes. `letter`: upper bound of the average letter width, relative to the size, so that text stays in its box with any font. */
export const STYLES: Record<Style, { size: number; letter: number; weight: number; mono?: boolean }> = {
    title: { size: 17, letter: 0.66, weight: 600 },
    name: { size: 15, letter: 0.68, weight: 600 },
    text: { size: 12, letter: 0.62, weight: 400 },
    muted: { size: 12, letter: 0.62, weight: 400 },
    mono: { size: 12, letter: 0.61, weight: 400, mono: true },
};

export const LINE_HEIGHT = 19;
const PADDING = 14;
/** Between the texts on the left and on the right of a card. */
const GAP = 26;

/**
 * A cluster's card, not placed yet.
 *
 * @param full whether the card shows everything, or only as much as fits when there are many cards
 */
export function clusterCard(
    { name, id, region, state, vpcCidrs, vpcId, etcd, ...versions }: Topology["clusters"][number],
    full: boolean,
    colour: number,
): Card {
    const place = state === "planned" ? `${region}, planned` : region;
    const blocks = vpcCidrs.map((cidr, i) => [i === 0 ? "VPC " : "    ", cidr].join(" "));
    const addresses = etcd.map((address, i) => [i === 0 ? "etcd" : "    ", address].join(" "));
    const moreAddresses = etcd.length > 1 ? ` +${etcd.length - 1}` : "";
    const rows: [string, Style][] = full
        ? [
              [place, "muted"],
              ...(vpcId ? ([[vpcId, "muted"]] as [string, Style][]) : []),
              ...[...blocks, ...addresses].map((text): [string, Style] => [text, "mono"]),
              [`Kubernetes ${versions.kubernetesVersion}, Cilium ${versions.ciliumVersion}`, "muted"],
          ]
        : [[place, "muted"], ...blocks.map((text): [string, Style] => [text, "mono"]), [`${addresses[0] ?? ""}${moreAddresses}`, "mono"]];
    const body = lines([[name, "name"], ...rows]);
    const idText = `id ${id}`;
    const first = textWidth(name, "name") + GAP + textWidth(idText, "muted");
    const width = Math.ceil(Math.max(first, ...rows.map(([text, style]) => textWidth(text, style))) + 2 * PADDING);
    const tag: Line = { text: idText, style: "muted", x: width - PADDING, y: body[0]?.y ?? 0, anchor: "end" };
    return { x: 0, y: 0, width, height: heightOf(body), lines: [...body, tag], planned: state === "planned", region: colour };
}

/** A Transit Gateway's card, not placed yet. */
export function gatewayCard({ region, id, state }: Topology["gateways"][number]): Card {
    const rows: [string, Style][] = [
        ["Transit Gateway", "name"],
        [state === "planned" ? `${region}, planned` : region, "muted"],
        ...(id ? ([[id, "mono"]] as [string, Style][]) : []),
    ];
    const body = lines(rows);
    const width = Math.ceil(Math.max(...rows.map(([text, style]) => textWidth(text, style))) + 2 * PADDING);
    return { x: 0, y: 0, width, height: heightOf(body), lines: body, planned: state === "planned" };
}

/** The label of a link: its kind, id and state, centred at `middle`. */
export function label(link: Link, middle: Point): Label {
    const rows: [string, Style][] = [
        ["VPC peering", "text"],
        ...(link.id ? ([[link.id, "mono"]] as [string, Style][]) : []),
        [link.detail ?? link.state, "muted"],
    ];
    const width = Math.ceil(Math.max(...rows.map(([text, style]) => textWidth(text, style))) + PADDING);
    const body = lines(rows).map((line) => ({ ...line, x: width / 2, y: line.y - 8, anchor: "middle" as const }));
    const box = { x: 0, y: 0, width, height: heightOf(body) - 6 };
    return { ...placed({ ...box, lines: body, planned: false }, middle), state: link.state };
}

function lines(rows: readonly [string, Style][]): Line[] {
    return rows.map(([text, style], i) => ({ text, style, x: PADDING, y: PADDING + 12 + i * LINE_HEIGHT }));
}

function heightOf(body: readonly Line[]): number {
    return (body.at(-1)?.y ?? 0) + PADDING - 1;
}

/** The cards, all as wide and high as the largest one. Right-aligned text moves with the border. */
export function sameSize(cards: readonly Card[]): Card[] {
    const width = Math.max(0, ...cards.map((card) => card.width));
    const height = Math.max(0, ...cards.map((card) => card.height));
    return cards.map((card) => ({
        ...card,
        width,
        height,
        lines: card.lines.map((line) => (line.anchor === "end" ? { ...line, x: width - PADDING } : line)),
    }));
}

/** The card with its centre at `middle`. */
export function placed(card: Card | undefined, middle: Point | undefined): Card {
    if (!card || !middle) throw new Error("a card has no place");
    const [x, y] = [middle.x - card.width / 2, middle.y - card.height / 2];
    return { ...card, x, y, lines: card.lines.map((line) => ({ ...line, x: line.x + x, y: line.y + y })) };
}

/** Upper bound of the text's width, in pixels. */
export function textWidth(text: string, style: Style): number {
    const { size, letter } = STYLES[style];
    return [...text].length * size * letter;
}
