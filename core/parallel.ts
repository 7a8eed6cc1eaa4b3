/**
 * Runs `run` for every item, at most `limit` at a time.
 *
 * @returns the results in the order of the items
 * @throws the first error
 */
export async function parallel<T, R>(items: readonly T[], limit: number, run: (item: T) => Promise<R>): Promise<R[]> {
    const results: R[] = new Array(items.length);
    const waiting = items.entries();
    const worker = async () => {
        for (const [index, item] of waiting) results[index] = await run(item);
    };
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
    return results;
}
