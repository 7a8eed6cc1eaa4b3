import { explain } from "../text/explain.ts";
import { type Known, NOT_FETCHED } from "./evidence.ts";

/** How much evidence is gathered: what `status` shows, or everything. */
export type Depth = "status" | "doctor";

type Fetch = <T>(read: () => Promise<T>) => Promise<Known<T>>;

/** `fetch` gathers a part of the evidence; `fetchForDoctor` does so for doctor only. Neither rejects: a failure is evidence, too. */
export function fetchers(depth: Depth): { fetch: Fetch; fetchForDoctor: Fetch } {
    return { fetch, fetchForDoctor: depth === "doctor" ? fetch : async () => NOT_FETCHED };
}

async function fetch<T>(read: () => Promise<T>): Promise<Known<T>> {
    try {
        return { value: await read() };
    } catch (error) {
        return { unknown: explain(error) };
    }
}
