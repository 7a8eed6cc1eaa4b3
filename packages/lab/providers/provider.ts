import type * as wire from "@pulumi/pulumi/proto/provider_pb.js";
import type { Diff } from "./diff.ts";
import type { Properties } from "./values.ts";

/** A provider package: what a plugin is to the engine. */
export interface Package {
    name: string;
    /** Of the SDK that programs use: the engine warns of an older one. */
    version: string;
    /** Called for every provider that an engine loads, explicit ones and the default one: each has a configuration of its own. */
    open(engine: EngineLink): Provider;
}

/** The engine that a provider belongs to. */
export interface EngineLink {
    /** Where its Engine service listens; SDK code in a `construct` needs it. */
    address: string;
    /** Shows a message at a resource. A status is shown only while the resource is worked on. */
    log(severity: "debug" | "info" | "warning" | "error", message: string, options?: { urn?: string; status?: boolean }): Promise<void>;
}

/** One configured provider. What it leaves out, the base answers: inputs pass, a changed configuration is an update. */
export interface Provider {
    checkConfig?(request: CheckRequest): Answer<Checked>;
    diffConfig?(request: DiffRequest): Answer<Diff>;
    /** Not called while the configuration holds unknowns: until then every output is unknown. */
    configure?(config: Properties): Answer<void>;
    /** The resource type of this token, if there is one. */
    resource(type: string): ResourceType | undefined;
    /** The function of this token, if there is one. */
    invoke?(token: string): ((request: InvokeRequest) => Answer<Invoked>) | undefined;
    /** Makes a component. Raw: the SDK's serialization belongs to the state of a program that only the component has. */
    construct?(request: wire.ConstructRequest, signal: AbortSignal): Promise<wire.ConstructResponse>;
    /** Called once when the engine goes away or gives up, after the signals of all that runs. */
    cancel?(): void;
}

export type Answer<T> = T | Promise<T>;

/** A type of resource: how one is checked, compared, made, read, changed and removed. */
export interface ResourceType {
    /** Outputs that are secret whatever their inputs are. */
    secretOutputs?: readonly string[];
    check?(request: CheckRequest): Answer<Checked>;
    /** Left out: inputs are compared, and each change is an update; without `update`, a replacement. */
    diff?(request: DiffRequest): Answer<Diff>;
    create(request: CreateRequest): Answer<Created>;
    /** Left out: the resource is as the state says. Undefined: it is gone. */
    read?(request: ReadRequest): Answer<Read | undefined>;
    update?(request: UpdateRequest): Answer<{ outputs: Properties }>;
    delete?(request: DeleteRequest): Answer<void>;
}

/** What every request about a resource has. */
export interface ResourceRequest {
    urn: string;
    type: string;
    /** The resource's name in the program. */
    name: string;
    /** Aborted when the engine cancels or goes away. */
    signal: AbortSignal;
}

export interface CheckRequest extends ResourceRequest {
    /** Inputs as checked last time; undefined for a new resource. */
    olds: Properties | undefined;
    news: Properties;
    /** `news` with the secrets marked. */
    marked: Properties;
    /** Gives the same name in preview and update. */
    randomSeed: Uint8Array;
}

export interface Checked {
    /** Plain: the base puts the marks back. */
    inputs: Properties;
    failures?: CheckFailure[];
}

export interface CheckFailure {
    property?: string;
    reason: string;
}

export interface DiffRequest extends ResourceRequest {
    id: string;
    /** Outputs, as the state has them. */
    olds: Properties;
    oldInputs: Properties;
    news: Properties;
    ignoreChanges: string[];
}

export interface CreateRequest extends ResourceRequest {
    inputs: Properties;
    /** `inputs` with the secrets marked. */
    marked: Properties;
    preview: boolean;
    /** Of `customTimeouts`; undefined for none. */
    timeoutSeconds: number | undefined;
}

export interface Created {
    /** Empty in a preview. */
    id: string;
    /** Plain or marked; those named as a secret input are marked by the base. Unknown ones in a preview: `UNKNOWN`. */
    outputs: Properties;
}

export interface ReadRequest extends ResourceRequest {
    id: string;
    /** Empty for a resource that is read for the first time (`get`, import). */
    olds: Properties;
    oldInputs: Properties;
    marked: Properties;
}

export interface Read {
    id: string;
    outputs: Properties;
    /** What the inputs would have to be for the resource to be as it is. */
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

export interface InvokeRequest {
    token: string;
    args: Properties;
    signal: AbortSignal;
}

export interface Invoked {
    result: Properties;
    failures?: CheckFailure[];
}

/** The resource is there, but not ready: the engine keeps what is known of it, and the next `up` goes on from there. */
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
