import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { SimulatedAws } from "../../aws/aws.ts";
import type { EngineLink, ResourceRequest } from "../provider.ts";
import { type AwsApi, backoff, type Pace, patient } from "./api.ts";
import type { Context, Tags } from "./kind.ts";

/** Tag of everything that the provider makes, with a value for each URN. Never shown to the program. */
export const MARK = "clustermesh-lab:resource";

/** Where a configured provider works, and what it has learned of the run. */
export interface Session {
    account: string;
    region: string;
    partition: string;
    principal: string | undefined;
    defaultTags: Tags;
    simulation: Pick<SimulatedAws, "in">;
    engine: Pick<EngineLink, "log">;
    pace: Pace;
    /** By URN: the ids under which the engine knows a resource. What else is found with its mark, the engine does not know. */
    known: Map<string, Set<string>>;
}

/** Remembers that the engine has this resource in its state, be it without an id. */
export function know({ known }: Session, urn: string, id?: string): void {
    const ids = known.get(urn) ?? new Set();
    if (id) ids.add(id);
    known.set(urn, ids);
}

export function api(session: Session, signal: AbortSignal): AwsApi {
    const { account, region, principal } = session;
    return patient(session.simulation.in({ account, region, principal }), session.pace, signal);
}

/** A value for each URN that any tag may have. */
export function markOf(urn: string): string {
    return createHash("sha256").update(urn).digest("hex").slice(0, 32);
}

/** Hexadecimal digits that differ for a resource and for the one that replaces it, and for nothing else: a repeated try gets the same ones. */
export function uniqueFor({ known }: Session, urn: string, digits: number): string {
    const before = known.get(urn);
    return createHash("sha256")
        .update([urn, ...(before ? ["again", ...before] : [])].join("\n"))
        .digest("hex")
        .slice(0, digits);
}

/** A time limit, as the real provider writes it: `10m0s`. */
function duration(seconds: number): string {
    const whole = Math.round(seconds);
    return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${whole % 60}s`;
}

export function contextFor(
    session: Session,
    { urn, name, signal }: ResourceRequest,
    { tags = {}, seconds }: { tags?: Tags; seconds: number },
): Context {
    const { account, region, partition, pace, engine } = session;
    const mark = { key: MARK, value: markOf(urn) };
    return {
        api: api(session, signal),
        account,
        region,
        partition,
        mark,
        name,
        tags: { ...tags, [mark.key]: mark.value },
        unique: (digits) => uniqueFor(session, urn, digits),
        until: async (what, wanted, look) => {
            const end = Date.now() + seconds * 1000;
            let shown: string | undefined;
            for (let turn = 1; ; turn++) {
                const state = await look();
                if (state === undefined) return;
                if (Date.now() > end)
                    throw new Error(
                        `timeout while waiting for state to become '${wanted}' (last state: '${state}', timeout: ${duration(seconds)})`,
                    );
                if (state !== shown) await engine.log("info", `waiting for ${what} to become ${wanted} (${state})`, { urn, status: true });
                shown = state;
                await sleep(backoff(pace, turn), undefined, { signal });
            }
        },
    };
}
