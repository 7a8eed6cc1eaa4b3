const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;" };

/** For text and for attributes in double quotes. What XML 1.0 has no way to write, such as a terminal's escape character, is replaced. */
export function escapeXml(text: string): string {
    return text
        .toWellFormed()
        .replaceAll(/[^\t\n\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
        .replaceAll(/[&<>"\n\t]/g, (character) => ESCAPES[character] ?? "");
}
