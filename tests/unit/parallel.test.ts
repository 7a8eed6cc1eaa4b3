import { expect, test } from "vitest";
import { parallel } from "../../core/parallel.ts";

test("parallel keeps the order and respects the limit", async () => {
    let [running, most] = [0, 0];
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const results = await parallel([5, 1, 4, 2, 3], 2, async (turns) => {
        running += 1;
        most = Math.max(most, running);
        for (let i = 0; i < turns; i++) await turn();
        running -= 1;
        return turns * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
    await expect(parallel([1, 2], 2, async (n) => (n === 2 ? Promise.reject(new Error("two")) : n))).rejects.toThrow("two");
    expect(await parallel([], 4, async () => 1)).toEqual([]);
});
