import * as pulumi from "@pulumi/pulumi";
import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import sdkServer from "@pulumi/pulumi/provider/server.js";
import config from "@pulumi/pulumi/runtime/config.js";
import rpc from "@pulumi/pulumi/runtime/rpc.js";
import settings from "@pulumi/pulumi/runtime/settings.js";
import state from "@pulumi/pulumi/runtime/state.js";
import structPb from "google-protobuf/google/protobuf/struct_pb.js";

/** Makes a component and its children with the SDK, as a program would. */
export type Component = (
    name: string,
    type: string,
    inputs: pulumi.Inputs,
    options: pulumi.ComponentResourceOptions,
) => Promise<{ urn: pulumi.Input<string>; state: pulumi.Inputs }>;

/** Parts of the SDK's own provider server that it does not declare; the server itself takes the whole process for itself. */
const undeclared = {
    deserializeInputs: (sdkServer as unknown as { deserializeInputs(inputs: unknown, dependencies: unknown): Promise<pulumi.Inputs> })
        .deserializeInputs,
    withLocalStorage: (state as unknown as { withLocalStorage<T>(run: () => Promise<T>): Promise<T> }).withLocalStorage,
    awaitFeatureSupport: (settings as unknown as { awaitFeatureSupport(): Promise<void> }).awaitFeatureSupport,
    waitForRPCs: (settings as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs,
    dependency: (urn: string) =>
        new (pulumi as unknown as { DependencyResource: new (urn: string) => pulumi.Resource }).DependencyResource(urn),
    provider: (reference: string) =>
        new (
            pulumi as unknown as { DependencyProviderResource: new (reference: string) => pulumi.ProviderResource }
        ).DependencyProviderResource(reference),
};

/** Answers the engine's request for a component. Components of several engines are made side by side: each has the SDK's state for itself. */
export function constructWith(component: Component, request: Pb.ConstructRequest, engineAddress: string): Promise<Pb.ConstructResponse> {
    return undeclared.withLocalStorage(async () => {
        settings.resetOptions(
            request.getProject(),
            request.getStack(),
            request.getParallel(),
            engineAddress,
            request.getMonitorendpoint(),
            request.getDryrun(),
            request.getOrganization(),
        );
        await undeclared.awaitFeatureSupport();
        config.setAllConfig(Object.fromEntries(entries(request.getConfigMap())), request.getConfigsecretkeysList());
        const inputs = await undeclared.deserializeInputs(request.getInputs(), request.getInputdependenciesMap());
        const made = await component(request.getName(), request.getType(), inputs, optionsOf(request));

        const response = new pb.ConstructResponse();
        response.setUrn(await settled(made.urn));
        const [outputs, dependencies] = await rpc.serializeResourceProperties(`construct(${request.getType()})`, made.state);
        response.setState(structPb.Struct.fromJavaScript(outputs));
        for (const [key, resources] of dependencies) {
            const urns = await Promise.all([...resources].map(({ urn }) => settled(urn)));
            response.getStatedependenciesMap().set(key, new pb.ConstructResponse.PropertyDependencies().setUrnsList(urns));
        }
        // The engine takes the component for complete once it is answered.
        await undeclared.waitForRPCs();
        return response;
    });
}

function optionsOf(request: Pb.ConstructRequest): pulumi.ComponentResourceOptions {
    const parent = request.getParent();
    return {
        dependsOn: request.getDependenciesList().map(undeclared.dependency),
        providers: Object.fromEntries(
            entries(request.getProvidersMap()).map(([name, reference]) => [name, undeclared.provider(reference)]),
        ),
        ...(parent && { parent: undeclared.dependency(parent) }),
        ignoreChanges: request.getIgnorechangesList(),
        protect: request.getProtect(),
        retainOnDelete: request.getRetainondelete(),
    };
}

function entries(map: { forEach(each: (value: string, key: string) => void): void }): [string, string][] {
    const found: [string, string][] = [];
    map.forEach((value, key) => {
        found.push([key, value]);
    });
    return found;
}

function settled(value: pulumi.Input<string>): Promise<string> {
    return new Promise((resolve) => pulumi.output(value).apply(resolve));
}
