import { distinct } from "../network/mesh.ts";
import {
    type Box,
    type Card,
    clusterCard,
    gatewayCard,
    type Label,
    LINE_HEIGHT,
    type Line,
    label,
    type Point,
    placed,
    sameSize,
    textWidth,
} from "./cards.ts";
import { LINK_STATES, type Link, type LinkState, type Topology } from "./model.ts";

export interface Picture {
    width: number;
    height: number;
    title: Line;
    cards: Card[];
    /** `via` is the control point of the curve; undefined: a straight line. */
    links: { from: Point; to: Point; via?: Point; link: Link }[];
    /** In the middle of each link. */
    labels: Label[];
    legend: (Box & { line: Line; state: LinkState })[];
    /** Problems of links that have no label. */
    notes: Line[];
}

const MARGIN = 28;
/** Between any two boxes. */
const GAP = 26;
/** Width of the ring divided by its height. */
const ASPECT = 1.5;
/** Up to this number of clusters, cards show everything. */
const MAX_FULL = 6;
/** Up to this number of clusters, links have labels. With more clusters, the middles of links meet. */
const MAX_LABELLED = 3;
/** With more cards than this, which nobody draws, links may pass behind other clusters' cards. */
const MAX_CLEAR = 16;
/** Length of a sample line in the legend. */
const SAMPLE = 34;

/**
 * Places the clusters on the smallest ring that has room for them, clusters of a region next to each other, and Transit Gateways inside the ring.
 *
 * Two clusters are side by side. No two texts, cards or labels overlap, and no link passes behind a third cluster.
 */
export function layout(topology: Topology): Picture {
    const regions = distinct(topology.clusters.map(({ region }) => region));
    const full = topology.clusters.length <= MAX_FULL;
    const clusters = sameSize(topology.clusters.map((cluster) => clusterCard(cluster, full, regions.indexOf(cluster.region))));
    const gateways = sameSize(topology.gateways.map(gatewayCard));
    return withFrame(topology, smallestRing(topology, clusters, gateways));
}

type Ring = Pick<Picture, "cards" | "links" | "labels">;

function smallestRing(topology: Topology, clusters: Card[], gateways: Card[]): Ring {
    const largest = 4000;
    for (let radius = 40; radius < largest; radius += 6) {
        const ring = onRing(topology, clusters, gateways, radius);
        if (isClear(ring)) return ring;
    }
    return onRing(topology, clusters, gateways, largest);
}

function onRing(topology: Topology, clusters: Card[], gateways: Card[], radius: number): Ring {
    const count = clusters.length;
    const angle = (i: number) => (count === 2 ? Math.PI : -Math.PI / 2) + (i * 2 * Math.PI) / Math.max(1, count);
    const at = (turn: number, share: number) => ({ x: Math.cos(turn) * radius * ASPECT * share, y: Math.sin(turn) * radius * share });
    const places = new Map<string, Point>();
    const indexes = new Map(topology.clusters.map(({ name }, i) => [name, i]));
    for (const [name, i] of indexes) places.set(name, at(angle(i), 1));
    for (const { region } of topology.gateways) {
        const own = topology.clusters.flatMap((cluster, i) => (cluster.region === region ? [angle(i)] : []));
        const middle = own.reduce((sum, turn) => sum + turn, 0) / own.length;
        places.set(gatewayKey(region), at(middle, topology.gateways.length === 1 ? 0 : 0.42));
    }
    const cards = [
        ...topology.clusters.map(({ name }, i) => placed(clusters[i], places.get(name))),
        ...topology.gateways.map(({ region }, i) => placed(gateways[i], places.get(gatewayKey(region)))),
    ];
    const links = topology.links.map((link) => {
        const [from, to] = endKeys(link).map((key) => places.get(key) ?? { x: 0, y: 0 }) as [Point, Point];
        const [a, b] = link.ends.map((end) => indexes.get(end) ?? 0) as [number, number];
        const neighbours = [1, count - 1].includes(Math.abs(a - b));
        // A chord between clusters that are not neighbours bends towards the middle, away from the cards in between.
        const isBent = link.kind === "peering" && count > 4 && !neighbours;
        return { from, to, link, ...(isBent && { via: { x: (from.x + to.x) * 0.28, y: (from.y + to.y) * 0.28 } }) };
    });
    const labels =
        count <= MAX_LABELLED && topology.network === "peering"
            ? links.map(({ from, to, link }) => label(link, { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }))
            : [];
    return { cards, links, labels };
}

function isClear({ cards, links, labels }: Ring): boolean {
    const boxes: Box[] = [...cards, ...labels];
    if (boxes.some((box, i) => boxes.slice(i + 1).some((other) => overlap(expanded(box, GAP / 2), expanded(other, GAP / 2))))) return false;
    if (cards.length > MAX_CLEAR) return true;
    return links.every((link) => {
        const others = cards.filter((card) => !contains(card, link.from) && !contains(card, link.to));
        return curve(link).every((point) => !others.some((card) => contains(expanded(card, 4), point)));
    });
}

/** Points of a link, so close that no card fits between two of them. */
export function curve({ from, to, via }: Picture["links"][number]): Point[] {
    const middle = via ?? { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
    return Array.from({ length: 65 }, (_, i) => {
        const t = i / 64;
        const mix = (a: number, b: number, c: number) => (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t ** 2 * c;
        return { x: mix(from.x, middle.x, to.x), y: mix(from.y, middle.y, to.y) };
    });
}

/** Adds the title above, legend and notes below, and moves everything to positive coordinates. */
function withFrame(topology: Topology, ring: Ring): Picture {
    const boxes: Box[] = [...ring.cards, ...ring.labels];
    const left = Math.min(0, ...boxes.map(({ x }) => x));
    const top = Math.min(0, ...boxes.map(({ y }) => y));
    const right = Math.max(0, ...boxes.map(({ x, width }) => x + width));
    const bottom = Math.max(0, ...boxes.map(({ y, height }) => y + height));

    const title: Line = { text: titleOf(topology), style: "title", x: MARGIN, y: MARGIN + 14 };
    const notes = ring.labels.length > 0 ? [] : topology.links.filter(({ state }) => state === "broken").map(noteOf);
    const entries = LINK_STATES.filter((state) => topology.links.some((link) => link.state === state)).map((state) =>
        legendText(topology, state),
    );
    const widest = Math.max(
        textWidth(title.text, "title"),
        entries.reduce((sum, { text }) => sum + SAMPLE + textWidth(text, "muted") + GAP, 0),
        ...notes.map((text) => textWidth(text, "text")),
    );
    const width = Math.ceil(Math.max(right - left, widest) + 2 * MARGIN);
    const below = MARGIN + 46;
    const shift = { x: (width - (right - left)) / 2 - left, y: below - top };
    const move = <T extends Point>(point: T): T => ({ ...point, x: round(point.x + shift.x), y: round(point.y + shift.y) });
    const moveBox = <T extends Box & { lines: Line[] }>(box: T): T => ({ ...move(box), lines: box.lines.map(move) });

    const foot = below + (bottom - top) + 38;
    let x = MARGIN;
    const legend = entries.map(({ text, state }) => {
        const line: Line = { text, style: "muted", x: x + SAMPLE + 8, y: round(foot) };
        const box = { x, y: round(foot) - 13, width: round(SAMPLE + 8 + textWidth(text, "muted")), height: 18, line, state };
        x = round(x + box.width + GAP);
        return box;
    });
    return {
        width,
        height: Math.ceil(foot + notes.length * LINE_HEIGHT + MARGIN),
        title,
        cards: ring.cards.map(moveBox),
        links: ring.links.map(({ from, to, via, link }) => ({ from: move(from), to: move(to), link, ...(via && { via: move(via) }) })),
        labels: ring.labels.map(moveBox),
        legend,
        notes: notes.map((text, i) => ({ text, style: "text", x: MARGIN, y: round(foot + (i + 1) * LINE_HEIGHT) })),
    };
}

function titleOf({ mesh, network, clusters }: Topology): string {
    return `${mesh}: ${clusters.length} clusters, ${network === "peering" ? "VPC peering" : "Transit Gateway"}`;
}

function legendText({ links }: Topology, state: LinkState): { text: string; state: LinkState } {
    const count = links.filter((link) => link.state === state).length;
    const text = { connected: "connected", planned: "planned, not deployed", broken: "not working" }[state];
    return { text: `${count} ${text}`, state };
}

function noteOf({ ends, id, detail }: Link): string {
    return `${ends.join(" and ")}: ${[id, detail].filter(Boolean).join(" ")}`;
}

function gatewayKey(region: string): string {
    return `gateway ${region}`;
}

/** Keys of a link's ends in `places`. Gateways have a prefix, because a cluster may have the name of a region. */
function endKeys({ kind, ends: [a, b] }: Link): [string, string] {
    if (kind === "peering") return [a, b];
    return [kind === "attachment" ? a : gatewayKey(a), gatewayKey(b)];
}

export function overlap(a: Box, b: Box): boolean {
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function contains({ x, y, width, height }: Box, point: Point): boolean {
    return point.x > x && point.x < x + width && point.y > y && point.y < y + height;
}

function expanded({ x, y, width, height }: Box, by: number): Box {
    return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

function round(pixels: number): number {
    return Math.round(pixels * 10) / 10;
}
