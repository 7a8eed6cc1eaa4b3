import { describe, expect, test } from "vitest";
import { filtered } from "../../aws/filters.ts";

describe("filters", () => {
    const rows = [
        { Id: "a", Tags: [{ Key: "Name", Value: "one" }] },
        { Id: "b", Tags: [{ Key: "Name", Value: "two.x" }] },
        { Id: "c", Tags: [] },
    ];
    const ids = (...filters: { Name: string; Values: string[] }[]) => filtered(rows, filters, { id: ({ Id }) => Id }).map(({ Id }) => Id);

    test("a row must match every filter, by any of its values", () => {
        expect(ids({ Name: "id", Values: ["a", "b"] }, { Name: "tag:Name", Values: ["two.x"] })).toEqual(["b"]);
    });
    test("wildcards are AWS's, not regular expressions", () => {
        expect(ids({ Name: "tag:Name", Values: ["two?x"] })).toEqual(["b"]);
        expect(ids({ Name: "tag:Name", Values: ["tw.*"] })).toEqual([]);
        expect(ids({ Name: "tag:Name", Values: ["*o*"] })).toEqual(["a", "b"]);
    });
    test("tag-key matches rows that have the tag", () => expect(ids({ Name: "tag-key", Values: ["Name"] })).toEqual(["a", "b"]));
    test("an unknown filter is refused", () => {
        expect(() => ids({ Name: "nonsense", Values: [] })).toThrow("The filter 'nonsense' is invalid");
    });
});
