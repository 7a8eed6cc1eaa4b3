import type { AwsError } from "./error.ts";
import type { Scope } from "./scope.ts";

/** Who shares a table: a region of an account, an account, or everyone (a peering belongs to both its ends). */
export type Sharing = "region" | "account" | "world";

/** The rows of one place, as the running call sees them. */
export interface Rows<T> {
    get(id: string): Readonly<T> | undefined;
    /** The row, or the error that AWS gives when there is none. */
    need(id: string, missing: () => AwsError): Readonly<T>;
    /** In the order of their making. */
    list(): Readonly<T>[];
    put(id: string, row: T): Readonly<T>;
    /** Replaces fields of a row that must be there. */
    update(id: string, fields: Partial<T>): Readonly<T>;
    delete(id: string): void;
}

export interface TableOptions<T> {
    shared?: Sharing;
    /** Whether a row is only the memory of something that is gone: AWS shows a deleted NAT gateway for an hour. */
    gone?: (row: Readonly<T>) => boolean;
}

/** A kind of thing that a service keeps. Defined once, in the service's file; any service may look at it through its own scope. */
export class Table<T extends object> {
    readonly name: string;
    readonly shared: Sharing;
    readonly gone: (row: Readonly<T>) => boolean;

    constructor(name: string, { shared = "region", gone = () => false }: TableOptions<T> = {}) {
        this.name = name;
        this.shared = shared;
        this.gone = gone;
    }

    /** The rows that `scope` reaches. */
    in(scope: Scope): Rows<T> {
        const place = scope.placeOf(this.shared);
        const all = () => scope.memory.read(place, this.name) as Readonly<Record<string, T>>;
        const get = (id: string) => (Object.hasOwn(all(), id) ? all()[id] : undefined);
        const put = (id: string, row: T) => {
            scope.memory.write(place, this.name, id, row);
            return row;
        };
        return {
            get,
            put,
            need: (id, missing) => {
                const row = get(id);
                if (!row) throw missing();
                return row;
            },
            list: () => Object.values(all()),
            update: (id, fields) => {
                const row = get(id);
                if (!row) throw new Error(`no row ${id} in ${this.name} of ${place}`);
                return put(id, { ...row, ...fields });
            },
            delete: (id) => scope.memory.write(place, this.name, id, undefined),
        };
    }
}

/** A table, whatever its rows are. */
export interface AnyTable {
    readonly name: string;
    readonly shared: Sharing;
    // A method, not a property: rows of every kind fit.
    gone(row: object): boolean;
}
