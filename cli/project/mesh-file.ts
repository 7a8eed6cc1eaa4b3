import { isScalar, isSeq, parseDocument, type Scalar, type YAMLSeq } from "yaml";
import { shortStackName } from "../../core/stack-names.ts";

type Ranged = Scalar & { range: [start: number, valueEnd: number, nodeEnd: number] };

/**
 * Adds a cluster to the list in a mesh's stack file. Nothing else changes: comments, indentation and order stay as they are.
 *
 * @throws Error if `clusters` is not a list of names
 */
export function withMember(text: string, name: string): string {
    const { list, items } = members(text);
    const last = items.at(-1);
    if (!last) throw new Error("clusters is empty");
    if (list.flow) return splice(text, last.range[1], last.range[1], `, ${name}`);
    const line = lineOf(text, last);
    return splice(text, line.end, line.end, `${text.slice(line.start, last.range[0])}${name}\n`);
}

/** Removes a cluster, given by its short or full stack name, from the list. */
export function withoutMember(text: string, name: string): string {
    const { list, items } = members(text);
    const index = items.findIndex((item) => shortStackName(String(item.value)) === shortStackName(name));
    const [before, item, after] = [items[index - 1], items[index], items[index + 1]];
    if (!item) return text;
    if (!list.flow) {
        const line = lineOf(text, item);
        return splice(text, line.start, line.end, "");
    }
    return after ? splice(text, item.range[0], after.range[0], "") : splice(text, before?.range[1] ?? item.range[0], item.range[1], "");
}

function members(text: string): { list: YAMLSeq; items: Ranged[] } {
    const list = parseDocument(text).getIn(["config", "clustermesh:stack", "clusters"]);
    if (!isSeq(list) || !list.items.every((item) => isScalar(item))) throw new Error("clusters must be a list of names");
    return { list, items: list.items as Ranged[] };
}

/** The line of an item with its line break, which the last line may lack. */
function lineOf(text: string, { range }: Ranged): { start: number; end: number } {
    const end = text.indexOf("\n", range[1]);
    return { start: text.lastIndexOf("\n", range[0]) + 1, end: end < 0 ? text.length : end + 1 };
}

function splice(text: string, start: number, end: number, replacement: string): string {
    const head = text.slice(0, start);
    // The list may be at the end of a file that lacks the last line break.
    const lineBreak = replacement.endsWith("\n") && head !== "" && !head.endsWith("\n") ? "\n" : "";
    return `${head}${lineBreak}${replacement}${text.slice(end)}`;
}
