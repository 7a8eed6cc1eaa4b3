import type { AwsError } from "./error.ts";
import type { Memory } from "./memory.ts";

/** Where a table's rows belong: to one region of an account, to an account, or to all accounts (both sides share a peering). */
export type Sharing = "region" | "account" | "world";

/** The rows of one place, as the current call sees them. */
interface Rows<T> {
    get(id: string): Readonly<T> | undefined;
    /**
     * Returns the row.
     *
     * @throws AWS's error, made by `missing`, if the row does not exist
     */
    need(id: string, missing: () => AwsError): Readonly<T>;
    /** All rows in the order of their creation. */
    list(): Readonly<T>[];
    put(id: string, row: T): Readonly<T>;
    /** Replaces fields of an existing row. */
    update(id: string, fields: Partial<T>): Readonly<T>;
    delete(id: string): void;
}

interface TableOptions<T> {
    /** Default: "region". */
    shared?: Sharing;
    /** Whether a row only records a resource that no longer exists: AWS shows a deleted NAT gateway for an hour. Default: never. */
    gone?: (row: Readonly<T>) => boolean;
}

/** The part of a `Scope` that a table needs. */
interface TableScope {
    readonly memory: Memory;
    placeOf(shared: Sharing): string;
}

/** One kind of resource. The service that owns it defines the table; every service can read it through its own scope. */
export class Table<T extends object> {
    readonly name: string;
    readonly shared: Sharing;
    readonly gone: (row: Readonly<T>) => boolean;

    constructor(name: string, { shared = "region", gone = () => false }: TableOptions<T> = {}) {
        this.name = name;
        this.shared = shared;
        this.gone = gone;
    }

    /** The rows that `scope` can reach. */
    in(scope: TableScope): Rows<T> {
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
                if (!row) throw new Error(`table ${this.name} of ${place} has no row ${id} to update`);
                return put(id, { ...row, ...fields });
            },
            delete: (id) => scope.memory.write(place, this.name, id, undefined),
        };
    }
}

/** A table with rows of any type. */
export interface AnyTable {
    readonly name: string;
    readonly shared: Sharing;
    // A method rather than a property: method parameters are bivariant, so a Table<T> of any T is assignable.
    gone(row: object): boolean;
}
