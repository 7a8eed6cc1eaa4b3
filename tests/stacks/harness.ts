import * as pulumi from "@pulumi/pulumi";
import type { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { makeTls } from "../../packages/lab/providers/tls.ts";
import type { Properties } from "../../packages/lab/providers/values.ts";

const SECRET = "4dabf18193072939515e22adb298388d";

/** A resource as the program registered it. */
export interface Registered {
    type: string;
    name: string;
    /** Without secret wrappers. */
    inputs: Record<string, unknown>;
    /** Paths of the inputs that are marked secret. */
    secrets: string[];
    /** "type name" of the parent, or "". */
    parent: string;
    /** "type name" of every dependency. */
    dependsOn: string[];
    /** Name of the explicit provider. */
    provider: string;
}

export interface Program<T> {
    resources: Registered[];
    outputs: T;
    /** Top-level outputs that are secret. */
    secretOutputs: string[];
}

export type Stacks = Record<string, { outputs: Record<string, unknown>; secretOutputNames: string[] }>;

/**
 * Runs a program against mocks. A function call without a mock fails the program. TLS resources get real keys and certificates; an `eks.Cluster` is one resource,
 * as for the engine before its plugin responds.
 *
 * @param states additional resource outputs, by resource name
 */
export async function run<T extends object>(
    program: () => Promise<T>,
    { stack = "test", stacks = {} as Stacks, states = {} as Record<string, object> } = {},
): Promise<Program<T>> {
    const resources: Registered[] = [];
    const mocks: pulumi.runtime.Mocks = {
        call: ({ token, inputs, provider }) => invoke(token, inputs, provider ?? ""),
        newResource: async ({ type, name, inputs }) => {
            if (type === "pulumi:pulumi:StackReference") {
                const known = stacks[inputs.name];
                if (!known) throw new Error(`unknown stack "${inputs.name}"`);
                return { id: name, state: { name: inputs.name, ...known } };
            }
            return {
                id: `${name}-id`,
                state: { ...(await state(type, name, unwrap(inputs) as Record<string, unknown>)), ...states[name] },
            };
        },
    };
    await pulumi.runtime.setMocks(mocks, "clustermesh", stack, false, "organization");
    // Mocks do not receive parents, providers and dependencies; the monitor that calls them does.
    const monitor = pulumi.runtime.getMonitor() as unknown as MockMonitor;
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request, callback) => {
        const inputs = pulumi.runtime.deserializeProperties(request.getObject());
        resources.push({
            type: request.getType(),
            name: request.getName(),
            inputs: unwrap(inputs) as Record<string, unknown>,
            secrets: secretPaths(inputs),
            parent: shortUrn(request.getParent()),
            dependsOn: request.getDependenciesList().map(shortUrn),
            provider: providerName(request.getProvider() || request.getProvidersMap().get("aws") || ""),
        });
        return register(request, callback);
    };

    const returned = await program();
    await pulumi.runtime.disconnect();
    const outputs: Record<string, unknown> = {};
    const secretOutputs: string[] = [];
    for (const [key, value] of Object.entries(returned)) {
        const output = pulumi.output(value) as pulumi.Output<unknown>;
        outputs[key] = await settled(output);
        if (await pulumi.isSecret(output)) secretOutputs.push(key);
    }
    resources.sort((a, b) => `${a.type} ${a.name}`.localeCompare(`${b.type} ${b.name}`));
    return { resources, outputs: outputs as T, secretOutputs };
}

/** The outputs of a stack as a StackReference returns them: JSON, without undefined values. */
export function deployed(program: Program<object>): Stacks[string] {
    return { outputs: JSON.parse(JSON.stringify(program.outputs)), secretOutputNames: program.secretOutputs };
}

/**
 * The resources of a type.
 *
 * @throws Error when there are none, so that a renamed type fails the test
 */
export function ofType(resources: readonly Registered[], type: string): Registered[] {
    const found = resources.filter((resource) => resource.type === type);
    if (found.length === 0)
        throw new Error(`no resource of type ${type}, only ${[...new Set(resources.map((resource) => resource.type))].join(", ")}`);
    return found;
}

export function only(resources: readonly Registered[], type: string, name?: string): Registered {
    const [found, another] = ofType(resources, type).filter((resource) => name === undefined || resource.name === name);
    if (!found || another) throw new Error(`expected exactly one ${type} ${name ?? ""}`);
    return found;
}

function invoke(token: string, inputs: Record<string, unknown>, provider: string): Record<string, unknown> {
    switch (token) {
        case "aws:index/getCallerIdentity:getCallerIdentity":
            return { accountId: provider.includes("aws-222222222222") ? "222222222222" : "111111111111" };
        case "aws:index/getPartition:getPartition":
            return { partition: "aws" };
        case "aws:index/getAvailabilityZones:getAvailabilityZones":
            return { names: ["eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d"] };
        default:
            throw new Error(`unmocked call ${token}(${JSON.stringify(inputs)})`);
    }
}

/** Outputs of a resource that the program uses in addition to its inputs. */
async function state(type: string, name: string, inputs: Record<string, unknown>): Promise<Record<string, unknown>> {
    if (type.startsWith("tls:")) return makeTls(type, inputs as Properties);
    switch (type) {
        case "eks:index:Cluster":
            return {
                ...inputs,
                eksCluster: {
                    name,
                    arn: `arn:aws:eks:eu-central-1:111111111111:cluster/${name}`,
                    endpoint: `https://${name}.eks.example`,
                    certificateAuthority: { data: Buffer.from("CA of the API server").toString("base64") },
                    vpcConfig: { clusterSecurityGroupId: `sg-eks-${name}` },
                },
            };
        case "aws:eks/nodeGroup:NodeGroup":
            return { ...inputs, resources: [{ autoscalingGroups: [{ name: `${name}-asg` }] }] };
        case "aws:ec2/launchTemplate:LaunchTemplate":
            return { ...inputs, latestVersion: 1 };
        case "aws:ec2transitgateway/transitGateway:TransitGateway":
            return { ...inputs, arn: `arn:${name}`, associationDefaultRouteTableId: `tgw-rtb-${name}` };
        default:
            return { arn: `arn:${type}:${name}`, name, ...inputs };
    }
}

function shortUrn(urn: string): string {
    const [, , types = "", name = ""] = urn.split("::");
    return urn ? `${types.split("$").pop()} ${name}` : "";
}

/** "aws" for "urn:...::pulumi:providers:aws::aws::aws-id". */
function providerName(reference: string): string {
    return reference.split("::").at(-2) ?? "";
}

function isSecret(value: unknown): value is { value: unknown } {
    return typeof value === "object" && value !== null && SECRET in value;
}

function unwrap(value: unknown): unknown {
    if (isSecret(value)) return unwrap(value.value);
    if (Array.isArray(value)) return value.map(unwrap);
    if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrap(inner)]));
    return value;
}

function secretPaths(value: unknown, path: string[] = []): string[] {
    if (isSecret(value)) return [path.join(".")];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => secretPaths(inner, [...path, key]));
}

function settled<T>(output: pulumi.Output<T>): Promise<T> {
    return new Promise((resolve) => {
        output.apply((value) => {
            resolve(value);
            return value;
        });
    });
}
