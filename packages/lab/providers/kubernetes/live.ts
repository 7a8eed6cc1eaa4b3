import { type DeleteRequest, NotReady, type Read, type ReadRequest } from "../provider.ts";
import { freshManager } from "./apply.ts";
import { ignoreMissing, waitForDeletion } from "./await.ts";
import { Unreachable } from "./client.ts";
import { explainRequiredField } from "./errors.ts";
import type { Kind } from "./kind.ts";
import { annotation, asInputs, checkpoint, identity, markSecretData, normalized, parseCheckpoint, parseId, prune } from "./objects.ts";
import { progress } from "./rollout.ts";
import { fieldManager, skipsAwait, waitSeconds } from "./rules.ts";

/** The live object and the inputs that would produce it; undefined if it does not exist. */
export async function readObject(kind: Kind, { id, urn, olds, oldInputs, marked, signal }: ReadRequest): Promise<Read | undefined> {
    const { name, namespace } = parseId(id);
    const isImport = Object.keys(oldInputs).length === 0;
    const { apiVersion } = kind;
    const known = isImport ? { apiVersion, kind: kind.kind, metadata: { name, ...(namespace && { namespace }) } } : normalized(oldInputs);
    try {
        const collection = await kind.collection(known, signal);
        const live = await collection?.get(name).catch(ignoreMissing);
        if (!live) return undefined;
        const inputs = isImport ? asInputs(live) : prune(live, known);
        const outputs = checkpoint(inputs, live, fieldManager(known, olds, freshManager()), marked);
        const found = { id, outputs, inputs: markSecretData(inputs) };
        const state = isImport || skipsAwait(known) ? undefined : progress(live);
        if (!state || state.done) return found;
        throw new NotReady(found, [`Resource '${name}' was created but failed to initialize`, state.message]);
    } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        await unreachable(kind, error, urn);
        return undefined;
    }
}

/** Deletes an object with its dependents and waits until they are gone; a patch releases its fields. */
export async function deleteObject(kind: Kind, { id, urn, olds, signal, timeoutSeconds }: DeleteRequest): Promise<void> {
    const { inputs, live } = parseCheckpoint(olds);
    try {
        const collection = await kind.collection(live, signal);
        // The kind was deleted, and its objects with it.
        if (!collection) return;
        if (kind.patch) {
            await collection.apply(identity(live), { manager: fieldManager(inputs, olds, "") }).catch(explainRequiredField);
            return;
        }
        const propagation = annotation(inputs, "pulumi.com/deletionPropagationPolicy") ?? "foreground";
        await collection.delete(parseId(id).name, `${propagation.charAt(0).toUpperCase()}${propagation.slice(1)}`);
        const onStatus = (message: string) => void kind.context.engine.log("info", message, { urn, status: true });
        await waitForDeletion(collection, live, { seconds: waitSeconds(inputs, timeoutSeconds), signal, onStatus });
    } catch (error) {
        if (error instanceof Unreachable) return unreachable(kind, error, urn);
        ignoreMissing(error);
    }
}

/** Treats the object as deleted if the operator set deleteUnreachable; else fails. */
async function unreachable({ context }: Kind, { message }: Unreachable, urn: string): Promise<void> {
    await context.engine.log("warning", `configured Kubernetes cluster is unreachable: ${message}`, { urn });
    if (context.deleteUnreachable) return;
    throw new Error(
        'configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
    );
}
