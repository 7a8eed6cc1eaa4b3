const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;" };

/** Escapes text and attributes in double quotes. Characters that XML 1.0 cannot contain, such as a terminal's escape character, are replaced. */
export function escapeXml(text: string): string {
    return text
        .toWellFormed()
        .replaceAll(/[^\t\n\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
        .replaceAll(/[&<>"\n\t]/g, (character) => ESCAPES[character] ?? "");
}
