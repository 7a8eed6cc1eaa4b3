import { join } from "node:path";
import { type Process, startProcess } from "../process/processes.ts";
import { type Program, programArguments, type Settings } from "./control-plane.ts";

/** Order of a stop: an API server whose etcd is gone hangs instead of ending. */
const STOP_ORDER = [["kwok", "kube-scheduler", "kube-controller-manager"], ["kube-apiserver"], ["etcd"]] as const;

/** The running programs of one cluster. */
export class ProgramGroup {
    /** Resolves when a program ends by itself, with the last lines of its output. Never resolves otherwise. */
    readonly broken: Promise<Error>;
    readonly #settings: Settings;
    readonly #tools: Readonly<Record<Program, string>>;
    readonly #running = new Map<Program, Process>();
    readonly #break: (error: Error) => void;
    #stopping = false;

    constructor(settings: Settings, tools: Readonly<Record<Program, string>>) {
        this.#settings = settings;
        this.#tools = tools;
        const { promise, resolve } = Promise.withResolvers<Error>();
        this.broken = promise;
        this.#break = resolve;
    }

    get pids(): number[] {
        return [...this.#running.values()].map(({ pid }) => pid);
    }

    start(program: Program): void {
        const { name, folder } = this.#settings;
        const log = join(folder, `${program}.log`);
        // kwok would also load the user's own configuration from its default folder.
        const env = { KWOK_WORKDIR: folder };
        const args = programArguments(program, this.#settings);
        const started = startProcess({ name: program, file: this.#tools[program], args, log, env, folder });
        this.#running.set(program, started);
        started.ended.then((how) => {
            if (!this.#stopping) this.#break(new Error(`${name}: ${program} ${how}; ${log} ends with:\n${started.lastWords()}`));
        });
    }

    /** Waits for the work. @throws Error if a program ends by itself meanwhile */
    async unlessBroken<Result>(work: Promise<Result>): Promise<Result> {
        return Promise.race([work, this.broken.then((error) => Promise.reject(error))]);
    }

    async stop(): Promise<void> {
        this.#stopping = true;
        for (const programs of STOP_ORDER) await Promise.all(programs.map((program) => this.#running.get(program)?.stop()));
    }
}
