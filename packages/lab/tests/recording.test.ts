import xterm from "@xterm/headless";
import { expect, test } from "vitest";
import { screenLines } from "../recording/screen.ts";
import { terminalSvg } from "../recording/svg.ts";

async function terminalShowing(text: string): Promise<xterm.Terminal> {
    const terminal = new xterm.Terminal({ cols: 20, rows: 3, scrollback: 100, allowProposedApi: true });
    await new Promise<void>((resolve) => terminal.write(text, resolve));
    return terminal;
}

test("reads styles, and the lines that have scrolled out", async () => {
    const terminal = await terminalShowing("\x1b[1mup\x1b[0m \x1b[31m✖\x1b[0m\r\n\r\n\x1b[2mwaiting\x1b[0m\r\n4\r\n5\r\n");
    expect(screenLines(terminal)).toEqual([
        [{ text: "up", bold: true }, { text: " " }, { text: "✖", color: 1 }],
        [],
        [{ text: "waiting", dim: true }],
        [{ text: "4" }],
        [{ text: "5" }],
    ]);
});

test("draws each span in its own columns, and escapes it", () => {
    const svg = terminalSvg([[{ text: "a < b", bold: true }, { text: "  " }, { text: "✓", color: 2 }]], 20, "up & verify");
    expect(svg).toContain('<title id="title">up &amp; verify</title>');
    expect(svg).toMatch(/<tspan x="16\.0" class="b" textLength="39\.1"[^>]*>a &lt; b<\/tspan>/);
    expect(svg).toMatch(/<tspan x="70\.8" style="fill:#56d364"[^>]*>✓<\/tspan>/);
    expect(svg.match(/<tspan/g)).toHaveLength(2);
});
