import type { Terminal } from "@xterm/headless";

/** Text of one style in a line of a terminal. */
export interface Span {
    text: string;
    /** Colour of the terminal's palette, 0 to 15; undefined: the default colour. */
    color?: number;
    bold?: boolean;
    dim?: boolean;
}

/** The lines of a terminal with their styles, from the first that scrolled out to the last that is not empty. */
export function screenLines(terminal: Pick<Terminal, "buffer">): Span[][] {
    const { active } = terminal.buffer;
    const lines = Array.from({ length: active.length }, (_, row) => lineSpans(active.getLine(row)));
    return lines.slice(0, lines.findLastIndex((spans) => spans.some(({ text }) => text.trim() !== "")) + 1);
}

type BufferLine = NonNullable<ReturnType<Terminal["buffer"]["active"]["getLine"]>>;

function lineSpans(line: BufferLine | undefined): Span[] {
    const spans: Span[] = [];
    const width = line?.translateToString(true).length ?? 0;
    for (let column = 0; column < width; column++) {
        const cell = line?.getCell(column);
        const style = {
            ...(cell?.isFgPalette() && { color: cell.getFgColor() }),
            ...(cell?.isBold() && { bold: true }),
            ...(cell?.isDim() && { dim: true }),
        };
        const text = cell?.getChars() || " ";
        const last = spans.at(-1);
        if (last && last.color === style.color && last.bold === style.bold && last.dim === style.dim) last.text += text;
        else spans.push({ text, ...style });
    }
    return spans;
}
