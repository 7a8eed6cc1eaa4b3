import { setTimeout as sleep } from "node:timers/promises";

const INTERVAL_MILLISECONDS = 100;

/**
 * Asks again until there is an answer; a question that throws has none yet.
 *
 * @throws Error with `otherwise` and the last failure when the time is over
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
