import { describe, expect, test } from "vitest";
import { family, parseStat, processTable, proportionalSize } from "../../process/process-tree.ts";

describe("the processes of a machine", () => {
    test.each([
        ["12 (node) S 1 12 12 0 -1", { pid: 12, parent: 1, name: "node" }],
        ["13 (a (b) S 9) R 12 13", { pid: 13, parent: 12, name: "a (b) S 9" }],
        ["", undefined],
    ])("%s", (line, row) => expect(parseStat(line)).toEqual(row));

    test("a process's family is the process and its descendants", () => {
        const row = (pid: number, parent: number) => ({ pid, parent, name: "" });
        const table = [row(1, 0), row(2, 1), row(3, 2), row(4, 1), row(5, 9)];
        expect(family(table, 2).map(({ pid }) => pid)).toEqual([2, 3]);
        expect(family(table, 1).map(({ pid }) => pid)).toEqual([1, 2, 3, 4]);
        expect(family(table, 7)).toEqual([]);
    });

    test.skipIf(process.platform !== "linux")("includes this process, which uses memory", () => {
        expect(processTable()).toContainEqual(expect.objectContaining({ pid: process.pid, parent: process.ppid }));
        expect(proportionalSize(process.pid)).toBeGreaterThan(2 ** 20);
        expect(proportionalSize(2 ** 30)).toBe(0);
    });
});
