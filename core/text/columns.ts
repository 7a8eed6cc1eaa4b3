/** Aligns rows of cells into columns, each as wide as its widest cell. Every row starts with `indent`. */
export function columns(rows: readonly (readonly string[])[], indent = ""): string {
    const widths: number[] = [];
    for (const row of rows)
        row.forEach((cell, column) => {
            widths[column] = Math.max(widths[column] ?? 0, cell.length);
        });
    return rows.map((row) => `${indent}${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd()).join("\n");
}
