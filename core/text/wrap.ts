/**
 * Breaks a paragraph into lines.
 *
 * @param width columns that a line may have; a longer word stays whole
 * @param indent put before every line but the first
 */
export function wrap(text: string, width: number, indent = ""): string {
    const lines: string[] = [];
    for (const word of text.split(" ")) {
        const line = lines.at(-1);
        if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
        else lines.push(lines.length === 0 ? word : indent + word);
    }
    return lines.join("\n");
}
