import { createHash } from "node:crypto";
import type { Memory, Place } from "./memory.ts";
import type { Sharing, Table } from "./table.ts";

/** Whoever calls: an account, a region, and the principal in whose name. */
export interface Caller extends Place {
    /** ARN; none: the account's root. */
    principal?: string | undefined;
}

/** A change of a row that comes by itself, `after` milliseconds. */
export interface Step<T> {
    after: number;
    /** null: the row, or that field, goes. */
    set: { [K in keyof T]?: T[K] | null } | null;
    /** Not divided by the clock's speed: for what must not pass while a deployment that has been speeded up runs, such as a request's expiry. */
    fixed?: boolean;
}

/** A limit that AWS raises on request. */
export interface Quota {
    /** As Service Quotas knows it. */
    code: string;
    default: number;
    /** No request raises it over this. */
    max?: number;
}

/** The account and region in which a call runs, and what its handler may do there. */
export class Scope {
    readonly account: string;
    readonly region: string;
    readonly principal: string;
    readonly memory: Memory;
    readonly #time: Time;

    constructor(memory: Memory, time: Time, caller: Caller) {
        this.memory = memory;
        this.#time = time;
        this.account = caller.account;
        this.region = caller.region;
        this.principal = caller.principal ?? `arn:${this.partition}:iam::${caller.account}:root`;
    }

    /** The same call's view of another place. */
    at(place: Place): Scope {
        return new Scope(this.memory, this.#time, place);
    }

    /** Every account and region in which there is, or was, something. */
    get places(): Place[] {
        return Object.keys(this.memory.state.places).flatMap((key) => {
            const [account = "", region] = key.split("/");
            return region ? [{ account, region }] : [];
        });
    }

    get now(): Date {
        return new Date(this.#time.now());
    }

    /** First part of ARNs there. */
    get partition(): string {
        return this.region.startsWith("cn-") ? "aws-cn" : this.region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
    }

    /** `arn("ec2", "vpc/vpc-0...")` */
    arn(service: string, resource: string): string {
        return `arn:${this.partition}:${service}:${this.region}:${this.account}:${resource}`;
    }

    /** A new id as AWS makes them: `vpc-0` and 16 more hexadecimal digits. */
    id(prefix: string): string {
        return `${prefix}-0${this.hex(16)}`;
    }

    /** Hexadecimal digits that no other call gets; the same ones after a restart with the same seed and the same calls. */
    hex(digits: number): string {
        this.memory.state.counter += 1;
        const { seed, counter } = this.memory.state;
        return createHash("sha256").update(`${seed}:${counter}`).digest("hex").slice(0, digits);
    }

    /** What happens to a row by itself from now on, in place of whatever was to happen to it. */
    later<T extends object>(table: Table<T>, id: string, steps: readonly Step<T>[]): void {
        const place = this.placeOf(table.shared);
        const others = this.memory.state.transitions.filter((one) => one.table !== table.name || one.id !== id || one.place !== place);
        const due = ({ after, fixed }: Step<T>) => (this.#time.frozen ? null : this.#time.now() + after / (fixed ? 1 : this.#time.speed));
        this.memory.state.transitions = [
            ...others,
            ...steps.map((step) => ({ due: due(step), place, table: table.name, id, set: step.set })),
        ];
    }

    /** The value of a limit here. */
    quota({ code, default: standard }: Quota): number {
        return this.memory.state.quotas[this.placeOf("region")]?.[code] ?? standard;
    }

    /** Under which key of the state this scope's rows of a table lie. */
    placeOf(shared: Sharing): string {
        return { region: `${this.account}/${this.region}`, account: this.account, world: "world" }[shared];
    }
}

/** How time passes for the running call. */
export interface Time {
    now(): number;
    /** By how much faster than AWS things get ready. */
    speed: number;
    /** Whether what this call starts never ends. */
    frozen: boolean;
}
