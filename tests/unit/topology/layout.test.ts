import fc from "fast-check";
import { expect, test } from "vitest";
import { type Box, type Line, STYLES, textWidth } from "../../../core/topology/cards.ts";
import { curve, layout, overlap } from "../../../core/topology/layout.ts";
import { ordinary, topologies } from "./topologies.ts";

/** The box of a line of text, from the top of its capitals to the bottom of its descenders. */
function boxOf({ text, style, x, y, anchor }: Line): Box {
    const width = textWidth(text, style);
    const { size } = STYLES[style];
    return { x: anchor === "end" ? x - width : anchor === "middle" ? x - width / 2 : x, y: y - 0.8 * size, width, height: size };
}

const within = (outer: Box, { x, y, width, height }: Box) =>
    x >= outer.x - 0.1 && y >= outer.y && x + width <= outer.x + outer.width + 0.1 && y + height <= outer.y + outer.height;

function expectApart(boxes: readonly Box[]): void {
    for (const [i, box] of boxes.entries())
        for (const other of boxes.slice(i + 1))
            if (overlap(box, other)) expect.fail(`${JSON.stringify(box)} over ${JSON.stringify(other)}`);
}

test("for any mesh, nothing overlaps, every text is in its box, everything is on the picture, and no link passes behind a third card", () => {
    fc.assert(
        fc.property(topologies(ordinary), (topology) => {
            const { width, height, title, cards, labels, legend, notes, links } = layout(topology);
            const boxes = [...cards, ...labels, ...legend, boxOf(title), ...notes.map(boxOf)];
            expectApart(boxes);
            for (const box of boxes) expect(within({ x: 0, y: 0, width, height }, box)).toBe(true);
            for (const owner of [...cards, ...labels]) {
                const texts = owner.lines.map(boxOf);
                expectApart(texts);
                for (const text of texts) expect(within(owner, text)).toBe(true);
            }
            for (const { box, line } of legend.map((entry) => ({ box: entry, line: boxOf(entry.line) })))
                expect(within(box, line)).toBe(true);
            expect(cards).toHaveLength(topology.clusters.length + topology.gateways.length);
            expect(links).toHaveLength(topology.links.length);
            const at = ({ x, y }: { x: number; y: number }) => ({ x: x - 0.05, y: y - 0.05, width: 0.1, height: 0.1 });
            for (const link of links) {
                const own = cards.filter((card) => overlap(card, at(link.from)) || overlap(card, at(link.to)));
                expect(own).toHaveLength(2);
                for (const point of curve(link))
                    if (cards.some((card) => !own.includes(card) && overlap(card, at(point)))) expect.fail("a link behind a third card");
            }
        }),
        { numRuns: 60 },
    );
});
