import { type Context, pendingState, waitForDeletion } from "../definition.ts";

/** How AWS spells a boolean option. */
export type Switch = "enable" | "disable";

const ENDED = ["deleted", "failed", "rejected"];
export const ENDING = [...ENDED, "deleting"];
const PENDING = ["initiatingRequest", "pending", "modifying"];

type Find = (context: Context, id: string) => Promise<{ State: string } | undefined>;

export function ready(context: Context, id: string, find: Find, wanted: readonly string[]): Promise<void> {
    return context.waitFor(`EC2 Transit Gateway Attachment (${id})`, wanted[0] ?? "", async () =>
        pendingState((await find(context, id))?.State, wanted, [...PENDING, "pendingAcceptance"]),
    );
}

/** Deletes an attachment. The other side may have deleted it already. */
export async function deleteAttachment(context: Context, id: string, find: Find, requestDelete: () => Promise<unknown>): Promise<void> {
    const state = (await find(context, id))?.State;
    if (state !== undefined && !ENDING.includes(state)) await requestDelete();
    await waitForDeletion(context, `EC2 Transit Gateway Attachment (${id})`, ENDED, async () => (await find(context, id))?.State);
}
