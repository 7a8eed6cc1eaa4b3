/** One problem per line, each marked with ✖. */
export function problemList(problems: readonly string[]): string {
    return problems.map((problem) => `✖ ${problem}`).join("\n");
}
