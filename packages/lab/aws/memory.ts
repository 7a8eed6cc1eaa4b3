import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** An account and one of its regions. */
export interface Place {
    account: string;
    region: string;
}

/** A scheduled change of a row. */
interface Transition {
    /** In milliseconds since 1970; null: frozen until `Simulation.thaw`. */
    due: number | null;
    place: string;
    table: string;
    id: string;
    /** Fields to set; null removes the field, or the whole row. */
    set: object | null;
}

/** The whole state of the simulation, as the file holds it. */
interface State {
    version: 2;
    seed: string;
    /** Number of IDs generated so far. */
    counter: number;
    /** Place → quota code → value, where it differs from AWS's default. */
    quotas: Record<string, Record<string, number>>;
    /** Place → table → id → row. */
    places: Record<string, Record<string, Record<string, object>>>;
    transitions: Transition[];
}

/** The state. Changes only happen in transactions; each one saves it. */
export class Memory {
    state: State;
    /** Number of changes since the start. */
    revision = 0;
    readonly #file: string | undefined;
    /** The original rows of each table that the current transaction has written to. */
    #before = new Map<string, { place: string; table: string; rows: Record<string, object> | undefined }>();

    constructor(file: string | undefined, seed: string) {
        this.#file = file;
        this.state =
            file && existsSync(file)
                ? parse(readFileSync(file, "utf8"), file)
                : { version: 2, seed, counter: 0, quotas: {}, places: {}, transitions: [] };
    }

    /** Runs `work` atomically: an error undoes it. `keep: false` undoes it even if it succeeds. */
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

    /**
     * Replaces the row with that ID, or deletes it if `row` is undefined. Never change a row in place: undoing a failed call restores the
     * old row objects.
     */
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

    /** Applies every change that is due, oldest first. */
    settle(now: number): void {
        const due = this.state.transitions.filter((transition) => transition.due !== null && transition.due <= now);
        if (due.length === 0) return;
        this.transaction(() => {
            this.state.transitions = this.state.transitions.filter((transition) => !due.includes(transition));
            for (const { place, table, id, set: fields } of due.toSorted((a, b) => Number(a.due) - Number(b.due))) {
                const row = this.read(place, table)[id];
                if (row) this.write(place, table, id, fields ? withoutNulls({ ...row, ...fields }) : undefined);
            }
        });
    }

    save(): void {
        this.revision += 1;
        if (!this.#file) return;
        // Write a temporary file and rename it: being killed while writing the file itself would lose the whole state.
        const temporary = `${this.#file}.${process.pid}.tmp`;
        writeFileSync(temporary, JSON.stringify(this.state), { mode: 0o600 });
        renameSync(temporary, this.#file);
    }
}

function withoutNulls(row: object): object {
    return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

function parse(text: string, file: string): State {
    const state = JSON.parse(text) as State;
    if (state.version !== 2)
        throw new Error(
            `${file} has state version ${state.version}, but this version of the lab reads version 2; delete the file and start again`,
        );
    return state;
}
