import { closest, distance } from "fastest-levenshtein";

/** The name that `word` probably misspells; undefined if every name differs in more than a third of the letters, which makes it another word. */
export function nearest(word: string, names: readonly string[]): string | undefined {
    if (names.length === 0) return undefined;
    const name = closest(word, [...names]);
    return distance(word, name) <= Math.max(1, word.length / 3) ? name : undefined;
}
