import { createHash } from "node:crypto";
import type { Memory, Place } from "./memory.ts";
import type { Sharing, Table } from "./table.ts";

/** The caller of an action: an account, a region, and the principal it acts as. */
export interface Caller extends Place {
    /** ARN. Default: the account's root. */
    principal?: string | undefined;
}

/** A change that happens to a row by itself, `after` milliseconds from now. */
interface Step<T> {
    after: number;
    /** Fields to set; null removes the field, or the whole row. */
    set: { [K in keyof T]?: T[K] | null } | null;
    /** Do not divide `after` by the simulation's speed: for what must not happen during an accelerated deployment, such as the expiry of a request. */
    fixed?: boolean;
}

/** A limit that AWS raises on request. */
export interface Quota {
    /** The code in Service Quotas. */
    code: string;
    default: number;
    /** AWS never raises the quota above this value. */
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

    /** The same call, in another account or region. */
    at(place: Place): Scope {
        return new Scope(this.memory, this.#time, place);
    }

    /** Every account and region that has, or once had, a resource. */
    get places(): Place[] {
        return Object.keys(this.memory.state.places).flatMap((key) => {
            const [account = "", region] = key.split("/");
            return region ? [{ account, region }] : [];
        });
    }

    get now(): Date {
        return new Date(this.#time.now());
    }

    /** The partition of the region, as ARNs begin with it. */
    get partition(): string {
        return this.region.startsWith("cn-") ? "aws-cn" : this.region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
    }

    /** `arn("ec2", "vpc/vpc-0...")` */
    arn(service: string, resource: string): string {
        return `arn:${this.partition}:${service}:${this.region}:${this.account}:${resource}`;
    }

    /** A new ID in AWS's format: `vpc-0` and 16 more hexadecimal digits. */
    id(prefix: string): string {
        return `${prefix}-0${this.hex(16)}`;
    }

    /** Unique hexadecimal digits. The same seed and the same calls give the same digits after a restart. */
    hex(digits: number): string {
        this.memory.state.counter += 1;
        const { seed, counter } = this.memory.state;
        return createHash("sha256").update(`${seed}:${counter}`).digest("hex").slice(0, digits);
    }

    /** Schedules changes of a row, replacing those already scheduled for it. */
    schedule<T extends object>(table: Table<T>, id: string, steps: readonly Step<T>[]): void {
        const place = this.placeOf(table.shared);
        const others = this.memory.state.transitions.filter(
            (transition) => transition.table !== table.name || transition.id !== id || transition.place !== place,
        );
        const due = ({ after, fixed }: Step<T>) => (this.#time.frozen ? null : this.#time.now() + after / (fixed ? 1 : this.#time.speed));
        this.memory.state.transitions = [
            ...others,
            ...steps.map((step) => ({ due: due(step), place, table: table.name, id, set: step.set })),
        ];
    }

    /** The quota's value in this account and region. */
    quota({ code, default: standard }: Quota): number {
        return this.memory.state.quotas[this.placeOf("region")]?.[code] ?? standard;
    }

    /** The key in the state under which this scope's rows of a table are stored. */
    placeOf(shared: Sharing): string {
        return { region: `${this.account}/${this.region}`, account: this.account, world: "world" }[shared];
    }
}

/** How time passes for the current call. */
interface Time {
    now(): number;
    /** How many times faster than on AWS resources become ready. */
    speed: number;
    /** Whether what this call starts never finishes. */
    frozen: boolean;
}
