import { describe, expect, test } from "vitest";
import { diffInputs, propertyPath } from "../../providers/diff.ts";
import {
    fromWire,
    hasSecrets,
    markLike,
    type Properties,
    plain,
    Reference,
    Secret,
    same,
    toWire,
    UNKNOWN,
} from "../../providers/values.ts";

describe("values on the wire", () => {
    test.each([
        ["plain values", { a: [1, true, null, { b: "c" }] }],
        ["secrets, including secret unknowns", { a: new Secret({ b: UNKNOWN }) }],
        ["resource references", { a: new Reference("urn:x", "id", "1.0.0") }],
    ])("%s survive a round trip", (_, value) => expect(fromWire(toWire(value as Properties))).toEqual(value));

    test("an output value is read as its value, as unknown without one, and as secret if marked", () => {
        const output = { "4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4" };
        expect(fromWire({ ...output, value: 1 })).toBe(1);
        expect(fromWire(output)).toBe(UNKNOWN);
        expect(fromWire({ ...output, value: 1, secret: true })).toEqual(new Secret(1));
    });

    test("undefined is omitted", () => expect(toWire({ a: undefined, b: null })).toEqual({ b: null }));

    test("equality: an unknown equals nothing, secret marks are ignored", () => {
        expect(same(UNKNOWN, UNKNOWN)).toBe(false);
        expect(same(new Secret([1]), [1])).toBe(true);
        expect(same({ a: undefined }, {})).toBe(true);
    });

    test("secret marks are matched by name in objects, and mark a list as a whole", () => {
        const marked = markLike({ a: { b: 1, c: 2 }, d: [1, 2], e: 3 }, { a: { b: new Secret(0) }, d: [new Secret(0)] });
        expect(marked).toEqual({ a: { b: new Secret(1), c: 2 }, d: new Secret([1, 2]), e: 3 });
        expect(hasSecrets(plain(marked))).toBe(false);
    });
});

describe("diffs", () => {
    test("have paths in the engine's notation", () => {
        expect(propertyPath(["metadata", "labels", "a.b/c", 0, "d"])).toBe('metadata.labels["a.b/c"][0].d');
        const diff = diffInputs({ list: [1, 2], a: { b: 1 }, gone: 1 }, { list: [1, 3, 4], a: { b: 1, "c.d": 2 } }, { only: ["list"] });
        expect(diff.detailed).toEqual({ "list[1]": "update", "list[2]": "add", 'a["c.d"]': "add", gone: "delete" });
        expect(diff.replaces).toEqual(["list[1]", "list[2]"]);
    });
});
