import { escapeXml } from "../../../core/text/xml.ts";
import type { Span } from "./screen.ts";

const [COLUMN, LINE, MARGIN, BAR] = [7.83, 18, 16, 28];

/** The terminal's sixteen colours on a dark background, each with a contrast of at least 4.5 to 1 (WCAG AA). */
const PALETTE = [
    ...["#8b949e", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#c9d1d9"],
    ...["#8b949e", "#ffa198", "#7ee787", "#f2cc60", "#a5d6ff", "#e2c5ff", "#b3f0ff", "#f0f6fc"],
];

/**
 * A picture of a terminal window with these lines.
 *
 * @param columns width of the window, in characters
 * @param title what the picture shows, for people who cannot see it
 */
export function terminalSvg(lines: readonly (readonly Span[])[], columns: number, title: string): string {
    const [width, height] = [Math.ceil(columns * COLUMN + 2 * MARGIN), BAR + lines.length * LINE + 2 * MARGIN];
    const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
        (color, i) => `<circle cx="${MARGIN + 4 + i * 18}" cy="18" r="5.5" fill="${color}"/>`,
    );
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">`,
        `<title id="title">${escapeXml(title)}</title>`,
        "<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#c9d1d9;white-space:pre}.b{font-weight:700}.d{opacity:.65}</style>",
        `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
        ...dots,
        ...lines.flatMap((spans, row) => (spans.length > 0 ? [line(spans, BAR + MARGIN + (row + 0.8) * LINE)] : [])),
        "</svg>",
        "",
    ].join("\n");
}

/** Each span at its own column: fonts differ in width, and columns must stay aligned. */
function line(spans: readonly Span[], y: number): string {
    let column = 0;
    const parts = spans.map(({ text, color, bold, dim }) => {
        const x = MARGIN + column * COLUMN;
        column += text.length;
        if (text.trim() === "") return "";
        const style = [bold && "b", dim && "d"].filter(Boolean).join(" ");
        const fill = color === undefined ? "" : ` style="fill:${PALETTE[color] ?? PALETTE[7]}"`;
        const length = ` textLength="${(text.length * COLUMN).toFixed(1)}" lengthAdjust="spacingAndGlyphs"`;
        return `<tspan x="${x.toFixed(1)}"${style && ` class="${style}"`}${fill}${length}>${escapeXml(text)}</tspan>`;
    });
    return `<text y="${y.toFixed(1)}" xml:space="preserve">${parts.join("")}</text>`;
}
