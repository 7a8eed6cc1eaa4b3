/** `"a", "b" or "c"`: the values as JSON, for people. */
export function quotedList(values: readonly unknown[]): string {
    const quoted = values.map((value) => JSON.stringify(value));
    return quoted.length < 2 ? quoted.join("") : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}
