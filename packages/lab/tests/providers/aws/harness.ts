import { simulatedAws as simulated } from "../../../aws/aws.ts";
import type { SimulationOptions } from "../../../aws/simulation.ts";
import type { Pace } from "../../../providers/aws/api.ts";
import { awsPackage } from "../../../providers/aws/package.ts";
import type { Provider, ResourceType } from "../../../providers/provider.ts";
import type { Properties } from "../../../providers/values.ts";

export const ACCOUNT = "111111111111";
export const REGION = "eu-central-1";
export const PACE: Pace = { pollMs: 1, maxPollMs: 5, maxAttempts: 5, deleteTimeoutMs: 200 };

export function simulatedAws(options: SimulationOptions = {}) {
    return simulated({ speed: Number.POSITIVE_INFINITY, ...options });
}
export type Aws = ReturnType<typeof simulatedAws>;

/** A resource in the engine's state. */
export interface Resource {
    urn: string;
    id: string;
    inputs: Properties;
    outputs: Properties;
}

const signal = new AbortController().signal;

function urnOf(token: string, name: string): string {
    return `urn:pulumi:test::clustermesh::${token}::${name}`;
}

function requestFor(urn: string) {
    const [, , type = "", name = ""] = urn.split("::");
    return { urn, type, name, signal };
}

/** Starts a run with a new provider, which knows nothing of earlier runs. */
export async function run(simulation: Aws, config: Properties = {}, account = ACCOUNT): Promise<Run> {
    const messages: string[] = [];
    const log = async (_severity: string, message: string) => void messages.push(message);
    const provider = awsPackage({ simulation, account, pace: PACE }).open({ log });
    await provider.configure?.({ region: REGION, ...config });
    return new Run(provider, messages);
}

/** One engine run, as a single provider sees it. */
export class Run {
    readonly provider: Provider;
    /** Messages that the provider logged. */
    readonly messages: readonly string[];

    constructor(provider: Provider, messages: readonly string[]) {
        this.provider = provider;
        this.messages = messages;
    }

    async check(token: string, name: string, news: Properties, olds?: Properties): Promise<Properties> {
        const request = { ...requestFor(urnOf(token, name)), olds, news, marked: news, randomSeed: new Uint8Array(32) };
        return (await this.#type(token).check?.(request))?.inputs ?? news;
    }

    async create(token: string, name: string, args: Properties, { timeoutSeconds }: { timeoutSeconds?: number } = {}): Promise<Resource> {
        const inputs = await this.check(token, name, args);
        const urn = urnOf(token, name);
        const request = { ...requestFor(urn), inputs, marked: inputs, preview: false, timeoutSeconds };
        return { urn, inputs, ...(await this.#type(token).create(request)) };
    }

    async preview(token: string, name: string, args: Properties): Promise<Properties> {
        const inputs = await this.check(token, name, args);
        const request = { ...requestFor(urnOf(token, name)), inputs, marked: inputs, preview: true, timeoutSeconds: undefined };
        return (await this.#type(token).create(request)).outputs;
    }

    async diff(resource: Resource, args: Properties): Promise<{ changes: string[]; replaces: string[] }> {
        const { urn, id, outputs: olds, inputs: oldInputs } = resource;
        const news = await this.#checkAgain(resource, args);
        const diff = await this.#typeOf(resource).diff?.({ ...requestFor(urn), id, olds, oldInputs, news, ignoreChanges: [] });
        return { changes: Object.keys(diff?.detailed ?? {}).toSorted(), replaces: diff?.replaces.toSorted() ?? [] };
    }

    async update(resource: Resource, args: Properties): Promise<Resource> {
        const { urn, id, outputs: olds, inputs: oldInputs } = resource;
        const inputs = await this.#checkAgain(resource, args);
        const request = { ...requestFor(urn), id, olds, oldInputs, inputs, marked: inputs };
        const updated = await this.#typeOf(resource).update?.({ ...request, preview: false, timeoutSeconds: undefined, ignoreChanges: [] });
        return { ...resource, inputs, outputs: updated?.outputs ?? {} };
    }

    /** Undefined: the resource does not exist. */
    async refresh(resource: Resource): Promise<Resource | undefined> {
        const { urn, id, outputs: olds, inputs: oldInputs } = resource;
        const read = await this.#typeOf(resource).read?.({ ...requestFor(urn), id, olds, oldInputs, marked: oldInputs });
        return read && { urn, ...read };
    }

    async remove(resource: Resource): Promise<void> {
        const { urn, id, inputs: oldInputs, outputs: olds } = resource;
        await this.#typeOf(resource).delete?.({ ...requestFor(urn), id, olds, oldInputs, timeoutSeconds: undefined });
    }

    #checkAgain({ urn, inputs }: Resource, args: Properties): Promise<Properties> {
        const { type, name } = requestFor(urn);
        return this.check(type, name, args, inputs);
    }

    #typeOf({ urn }: Resource): ResourceType {
        return this.#type(requestFor(urn).type);
    }

    #type(token: string): ResourceType {
        const type = this.provider.resource(token);
        if (!type) throw new Error(`unknown resource type ${token}`);
        return type;
    }
}
