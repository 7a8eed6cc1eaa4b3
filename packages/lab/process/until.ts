import { setTimeout as sleep } from "node:timers/promises";

const INTERVAL_MILLISECONDS = 100;

/**
 * Calls a function every 100 ms until it returns a value other than undefined. A call that throws counts as undefined.
 *
 * @param otherwise start of the error's message: what is missing
 * @throws Error with `otherwise` and the last call's error after the timeout
 */
export async function until<Answer>(
    ask: () => Promise<Answer | undefined>,
    timeoutMilliseconds: number,
    otherwise: string,
): Promise<Answer> {
    const end = performance.now() + timeoutMilliseconds;
    let cause: unknown;
    while (performance.now() < end) {
        try {
            const answer = await ask();
            if (answer !== undefined) return answer;
            cause = undefined;
        } catch (error) {
            cause = error;
        }
        await sleep(INTERVAL_MILLISECONDS);
    }
    throw new Error(`${otherwise} after ${timeoutMilliseconds / 1000} s${cause ? `: ${cause}` : ""}`, { cause });
}
