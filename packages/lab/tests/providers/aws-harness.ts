import { simulatedAws as simulated } from "../../aws/aws.ts";
import type { SimulationOptions } from "../../aws/simulation.ts";
import type { Pace } from "../../providers/aws/api.ts";
import { awsPackage } from "../../providers/aws/package.ts";
import type { Provider, ResourceType } from "../../providers/provider.ts";
import type { Properties } from "../../providers/values.ts";

export const ACCOUNT = "111111111111";
export const REGION = "eu-central-1";
export const PACE: Pace = { poll: 1, slowest: 5, attempts: 5, patience: 200 };

export function simulatedAws(options: SimulationOptions = {}) {
    return simulated({ speed: Number.POSITIVE_INFINITY, ...options });
}
export type Aws = ReturnType<typeof simulatedAws>;

/** What an engine would have in its state. */
export interface Resource {
    urn: string;
    id: string;
    inputs: Properties;
    outputs: Properties;
}

/** One run of an engine, as far as a single provider sees it. */
export interface Run {
    provider: Provider;
    said: string[];
    type(token: string): ResourceType;
    check(token: string, name: string, news: Properties, olds?: Properties): Promise<Properties>;
    create(token: string, name: string, args: Properties, options?: { timeoutSeconds?: number }): Promise<Resource>;
    preview(token: string, name: string, args: Properties): Promise<Properties>;
    diff(resource: Resource, args: Properties): Promise<{ changes: string[]; replaces: string[] }>;
    update(resource: Resource, args: Properties): Promise<Resource>;
    /** Undefined: gone. */
    refresh(resource: Resource): Promise<Resource | undefined>;
    remove(resource: Resource): Promise<void>;
}

const signal = new AbortController().signal;
const urnOf = (token: string, name: string) => `urn:pulumi:test::clustermesh::${token}::${name}`;
const about = (urn: string) => {
    const [, , type = "", name = ""] = urn.split("::");
    return { urn, type, name, signal };
};

/** Begins a run: what a provider has learned in the one before it has forgotten. */
export async function run(simulation: Aws, config: Properties = {}, account = ACCOUNT): Promise<Run> {
    const said: string[] = [];
    const provider = awsPackage({ simulation, account, pace: PACE }).open({
        address: "",
        log: async (_severity, message) => {
            said.push(message);
        },
    });
    await provider.configure?.({ region: REGION, ...config });
    const type = (token: string) => {
        const found = provider.resource(token);
        if (!found) throw new Error(`no type ${token}`);
        return found;
    };
    const checked = async (token: string, name: string, news: Properties, olds?: Properties) => {
        const request = { ...about(urnOf(token, name)), olds, news, marked: news, randomSeed: new Uint8Array(32) };
        return (await type(token).check?.(request))?.inputs ?? news;
    };
    const tokenOf = ({ urn }: Resource) => about(urn).type;
    const compared = async (resource: Resource, news: Properties) => {
        const { id, outputs: olds, inputs: oldInputs } = resource;
        return type(tokenOf(resource)).diff?.({ ...about(resource.urn), id, olds, oldInputs, news, ignoreChanges: [] });
    };
    return {
        provider,
        said,
        type,
        check: checked,
        create: async (token, name, args, { timeoutSeconds } = {}) => {
            const inputs = await checked(token, name, args);
            const urn = urnOf(token, name);
            const made = await type(token).create({ ...about(urn), inputs, marked: inputs, preview: false, timeoutSeconds });
            return { urn, inputs, ...made };
        },
        preview: async (token, name, args) => {
            const inputs = await checked(token, name, args);
            const made = await type(token).create({
                ...about(urnOf(token, name)),
                inputs,
                marked: inputs,
                preview: true,
                timeoutSeconds: undefined,
            });
            return made.outputs;
        },
        diff: async (resource, args) => {
            const news = await checked(tokenOf(resource), about(resource.urn).name, args, resource.inputs);
            const diff = await compared(resource, news);
            return { changes: Object.keys(diff?.detailed ?? {}).toSorted(), replaces: diff?.replaces.toSorted() ?? [] };
        },
        update: async (resource, args) => {
            const inputs = await checked(tokenOf(resource), about(resource.urn).name, args, resource.inputs);
            const updated = await type(tokenOf(resource)).update?.({
                ...about(resource.urn),
                id: resource.id,
                olds: resource.outputs,
                oldInputs: resource.inputs,
                inputs,
                marked: inputs,
                preview: false,
                timeoutSeconds: undefined,
                ignoreChanges: [],
            });
            return { ...resource, inputs, outputs: updated?.outputs ?? {} };
        },
        refresh: async (resource) => {
            const { id, outputs: olds, inputs: oldInputs } = resource;
            const read = await type(tokenOf(resource)).read?.({ ...about(resource.urn), id, olds, oldInputs, marked: oldInputs });
            return read && { urn: resource.urn, ...read };
        },
        remove: async ({ urn, id, inputs: oldInputs, outputs: olds }) => {
            const request = { ...about(urn), id, olds, oldInputs, timeoutSeconds: undefined };
            await type(about(urn).type).delete?.(request);
        },
    };
}
