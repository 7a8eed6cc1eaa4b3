import { stripVTControlCharacters } from "node:util";

/** A terminal with a picture at its end, which is redrawn repeatedly, and lasting lines above it. */
export interface Terminal {
    readonly columns: number;
    readonly rows: number;
    /** Whether to use colors. */
    readonly color: boolean;
    /** Replaces the last picture. */
    draw(lines: readonly string[]): void;
    /** Prints a lasting line above the picture. Written directly to the stream, the next picture would overwrite it. */
    print(line: string): void;
    /** Keeps the last picture; the next one is drawn below it. */
    release(): void;
}

/** @param stream a stream that is a terminal */
export function terminalOn(stream: Pick<NodeJS.WriteStream, "columns" | "rows" | "write" | "hasColors">): Terminal {
    let drawn: readonly string[] = [];
    return {
        get columns() {
            return stream.columns;
        },
        get rows() {
            return stream.rows;
        },
        // Node reads NO_COLOR (no-color.org) and similar variables.
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

/** What to write so that a picture replaces the one before, on a terminal that may have been resized meanwhile. */
export function redraw(before: readonly string[], after: readonly string[], columns: number): string {
    // Lines that were clipped to a wider terminal wrap on this one.
    const height = before.reduce((sum, line) => sum + Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns)), 0);
    const up = height > 0 ? `\x1b[${height}A\r` : "";
    return `${up}\x1b[0J${after.map((line) => `${line}\n`).join("")}`;
}
