import { stripVTControlCharacters } from "node:util";

/** A terminal with a picture at its end, which is drawn anew again and again, and lines above it that stay. */
export interface Terminal {
    readonly columns: number;
    readonly rows: number;
    /** Whether colours are wanted. */
    readonly color: boolean;
    /** Takes the place of the last picture. */
    draw(lines: readonly string[]): void;
    /** A line that stays. Written past the picture, the next one would wipe it out. */
    print(line: string): void;
    /** The picture stays as it is; the next one comes below. */
    release(): void;
}

/** @param stream of a terminal */
export function terminalOn(stream: Pick<NodeJS.WriteStream, "columns" | "rows" | "write" | "hasColors">): Terminal {
    let drawn: readonly string[] = [];
    return {
        get columns() {
            return stream.columns;
        },
        get rows() {
            return stream.rows;
        },
        // NO_COLOR (no-color.org) and its likes are Node's own to read.
        color: stream.hasColors(),
        draw(lines) {
            stream.write(redraw(drawn, lines, stream.columns));
            drawn = lines;
        },
        print(line) {
            stream.write(redraw(drawn, [line, ...drawn], stream.columns));
        },
        release() {
            drawn = [];
        },
    };
}

/** What to write so that a picture takes the place of the one before, on a terminal that may have been resized meanwhile. */
export function redraw(before: readonly string[], after: readonly string[], columns: number): string {
    // Lines that were clipped to a wider terminal take more than one on this one.
    const height = before.reduce((sum, line) => sum + Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns)), 0);
    const up = height > 0 ? `\x1b[${height}A\r` : "";
    return `${up}\x1b[0J${after.map((line) => `${line}\n`).join("")}`;
}
