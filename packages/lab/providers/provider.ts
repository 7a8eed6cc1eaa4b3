import type { Diff } from "./diff.ts";
import type { Properties } from "./values.ts";

/** A provider package, in place of a plugin. */
export interface Package {
    name: string;
    /** Version of the SDK that programs use. The engine warns if it is older. */
    version: string;
    /** Called for every provider that an engine loads, default and explicit, each with its own configuration. */
    open(engine: EngineLink): Provider;
}

/** The engine that a provider belongs to. */
export interface EngineLink {
    /** Logs a message for a resource. A `status` message is shown only while the operation on the resource runs. */
    log(severity: "debug" | "info" | "warning" | "error", message: string, options?: { urn?: string; status?: boolean }): Promise<void>;
}

/** A configured provider. Defaults for what it leaves out: every input is valid, and a changed configuration is an update. */
export interface Provider {
    checkConfig?(request: CheckRequest): Awaitable<Checked>;
    diffConfig?(request: DiffRequest): Awaitable<Diff>;
    /** Not called while the configuration contains unknowns. */
    configure?(config: Properties): Awaitable<void>;
    /** The resource type of this token; undefined if it does not exist. */
    resource(type: string): ResourceType | undefined;
    /** The function of this token; undefined if it does not exist. */
    invoke?(token: string): ((request: InvokeRequest) => Awaitable<Invoked>) | undefined;
    /** Called once when the engine cancels or disconnects, after the signals of all running operations have aborted. */
    cancel?(): void;
}

type Awaitable<T> = T | Promise<T>;

/** A resource type and its operations. */
export interface ResourceType {
    /** Outputs that are always secret. */
    secretOutputs?: readonly string[];
    check?(request: CheckRequest): Awaitable<Checked>;
    /** Default: compares inputs; a change is an update, or a replacement if the type has no `update`. */
    diff?(request: DiffRequest): Awaitable<Diff>;
    create(request: CreateRequest): Awaitable<Created>;
    /** Returns undefined if the resource does not exist. Default: the resource matches the state. */
    read?(request: ReadRequest): Awaitable<Read | undefined>;
    update?(request: UpdateRequest): Awaitable<{ outputs: Properties }>;
    delete?(request: DeleteRequest): Awaitable<void>;
}

/** Fields of every request for a resource. */
export interface ResourceRequest {
    urn: string;
    type: string;
    /** The resource's name in the program. */
    name: string;
    /** Aborted when the engine cancels or disconnects. */
    signal: AbortSignal;
}

export interface CheckRequest extends ResourceRequest {
    /** Inputs of the previous check; undefined for a new resource. */
    olds: Properties | undefined;
    news: Properties;
    /** `news` with secrets marked. */
    marked: Properties;
    /** Seed for generated names, equal in preview and update. */
    randomSeed: Uint8Array;
}

export interface Checked {
    /** Without secret marks: the server restores them. */
    inputs: Properties;
    failures?: CheckFailure[];
}

export interface CheckFailure {
    property?: string;
    reason: string;
}

export interface DiffRequest extends ResourceRequest {
    id: string;
    /** Outputs from the state. */
    olds: Properties;
    oldInputs: Properties;
    news: Properties;
    ignoreChanges: string[];
}

export interface CreateRequest extends ResourceRequest {
    inputs: Properties;
    /** `inputs` with secrets marked. */
    marked: Properties;
    preview: boolean;
    /** From `customTimeouts`, in seconds; undefined if the program sets none. */
    timeoutSeconds: number | undefined;
}

export interface Created {
    /** Empty in a preview. */
    id: string;
    /** With or without secret marks: the server marks outputs that have the name of a secret input. `UNKNOWN` for values that a preview does not know. */
    outputs: Properties;
}

export interface ReadRequest extends ResourceRequest {
    id: string;
    /** Empty on the first read of a resource (`get`, import). */
    olds: Properties;
    oldInputs: Properties;
    marked: Properties;
}

export interface Read {
    id: string;
    outputs: Properties;
    /** The inputs that would produce the resource's actual state. */
    inputs: Properties;
}

export interface UpdateRequest extends CreateRequest {
    id: string;
    olds: Properties;
    oldInputs: Properties;
    ignoreChanges: string[];
}

export interface DeleteRequest extends ResourceRequest {
    id: string;
    olds: Properties;
    oldInputs: Properties;
    timeoutSeconds: number | undefined;
}

interface InvokeRequest {
    token: string;
    args: Properties;
    signal: AbortSignal;
}

interface Invoked {
    result: Properties;
    failures?: CheckFailure[];
}

/** The resource exists but is not ready. The engine keeps it in the state, and the next `up` updates it. */
export class NotReady extends Error {
    readonly id: string;
    readonly outputs: Properties;
    readonly reasons: string[];
    readonly inputs: Properties | undefined;
    constructor(state: { id: string; outputs: Properties; inputs?: Properties }, reasons: string[]) {
        super(reasons[0] ?? "not ready");
        this.id = state.id;
        this.outputs = state.outputs;
        this.inputs = state.inputs;
        this.reasons = reasons;
    }
}
