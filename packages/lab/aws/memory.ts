import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** An account and one of its regions. */
export interface Place {
    account: string;
    region: string;
}

/** A change that comes by itself. */
export interface Transition {
    /** When, in milliseconds since 1970; null: frozen, until someone thaws it. */
    due: number | null;
    place: string;
    table: string;
    id: string;
    /** Fields that the row then gets, or loses where they are null; null: the row goes. */
    set: object | null;
}

/** All that the simulation knows, as it stands in the file. */
export interface State {
    version: 1;
    seed: string;
    /** Ids made so far. */
    counter: number;
    /** Place → quota code → value, where it differs from AWS's default. */
    quotas: Record<string, Record<string, number>>;
    /** Place → table → id → row. */
    places: Record<string, Record<string, Record<string, object>>>;
    transitions: Transition[];
}

/** The state, changed only in transactions, and saved after each. */
export class Memory {
    state: State;
    /** Counts the changes since the start. */
    revision = 0;
    readonly #file: string | undefined;
    /** The tables that the running transaction has written to, as they were: place → table → rows. */
    #before = new Map<string, { place: string; table: string; rows: Record<string, object> | undefined }>();

    constructor(file: string | undefined, seed: string) {
        this.#file = file;
        this.state =
            file && existsSync(file)
                ? parse(readFileSync(file, "utf8"), file)
                : { version: 1, seed, counter: 0, quotas: {}, places: {}, transitions: [] };
    }

    /** Runs `work` as a whole or not at all. `keep: false` undoes it even when it succeeds. */
    transaction<T>(work: () => T, keep = true): T {
        const { counter, transitions } = this.state;
        this.#before.clear();
        const undo = () => {
            for (const { place, table, rows } of this.#before.values())
                Object.assign(this.state.places[place] ?? {}, { [table]: rows ?? {} });
            Object.assign(this.state, { counter, transitions });
        };
        let result: T;
        try {
            result = work();
        } catch (error) {
            undo();
            throw error;
        }
        if (!keep) undo();
        else if (this.#before.size > 0 || this.state.counter !== counter || this.state.transitions !== transitions) this.save();
        return result;
    }

    read(place: string, table: string): Readonly<Record<string, object>> {
        return this.state.places[place]?.[table] ?? {};
    }

    /** Puts a row in place of the one with that id, or takes it away. Rows are replaced, never changed: else a failed call would leave its traces. */
    write(place: string, table: string, id: string, row: object | undefined): void {
        this.state.places[place] ??= {};
        const tables = this.state.places[place];
        const key = `${place} ${table}`;
        if (!this.#before.has(key)) {
            this.#before.set(key, { place, table, rows: tables[table] });
            tables[table] = { ...tables[table] };
        }
        const rows = tables[table] ?? {};
        if (row) rows[id] = row;
        else delete rows[id];
    }

    /** Makes every change whose time has come, oldest first. */
    settle(now: number): void {
        const due = this.state.transitions.filter((one) => one.due !== null && one.due <= now);
        if (due.length === 0) return;
        this.transaction(() => {
            this.state.transitions = this.state.transitions.filter((one) => !due.includes(one));
            for (const { place, table, id, set: fields } of due.toSorted((a, b) => Number(a.due) - Number(b.due))) {
                const row = this.read(place, table)[id];
                if (row) this.write(place, table, id, fields ? withoutNulls({ ...row, ...fields }) : undefined);
            }
        });
    }

    save(): void {
        this.revision += 1;
        if (!this.#file) return;
        // Written aside and renamed: a kill in between would leave half a file, and with it nothing at all.
        const aside = `${this.#file}.${process.pid}.tmp`;
        writeFileSync(aside, JSON.stringify(this.state), { mode: 0o600 });
        renameSync(aside, this.#file);
    }
}

function withoutNulls(row: object): object {
    return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

function parse(text: string, file: string): State {
    const state = JSON.parse(text) as State;
    if (state.version !== 1)
        throw new Error(`${file} was written by another version of the lab (${state.version}); remove it and start anew`);
    return state;
}
