import { type DeleteRequest, NotReady, type Read, type ReadRequest } from "../provider.ts";
import { freshManager } from "./apply.ts";
import { gone, ignoreMissing } from "./await.ts";
import { Unreachable } from "./client.ts";
import { annotation, asInputs, checkpoint, identity, markSecretData, normalized, parseCheckpoint, parseId, prune } from "./objects.ts";
import { requiredField } from "./refusals.ts";
import type { Kind } from "./resource.ts";
import { progress } from "./rollout.ts";
import { fieldManager, skipsAwait, waitSeconds } from "./rules.ts";

/** The object as it is, and the inputs that would make it so. Undefined: it is gone. */
export async function readObject(kind: Kind, { id, urn, olds, oldInputs, marked, signal }: ReadRequest): Promise<Read | undefined> {
    const { name, namespace } = parseId(id);
    const first = Object.keys(oldInputs).length === 0;
    const { apiVersion } = kind;
    const known = first ? { apiVersion, kind: kind.kind, metadata: { name, ...(namespace && { namespace }) } } : normalized(oldInputs);
    try {
        const at = await kind.collection(known, signal);
        const live = await at?.get(name).catch(ignoreMissing);
        if (!live) return undefined;
        const inputs = first ? asInputs(live) : prune(live, known);
        const outputs = checkpoint(inputs, live, fieldManager(known, olds, freshManager()), marked);
        const found = { id, outputs, inputs: markSecretData(inputs) };
        const state = first || skipsAwait(known) ? undefined : progress(live);
        if (!state || state.done) return found;
        throw new NotReady(found, [`Resource '${name}' was created but failed to initialize`, state.message]);
    } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        await unreachable(kind, error, urn);
        return undefined;
    }
}

/** An object goes with all that depends on it, and is waited for; a patch gives its fields up. */
export async function deleteObject(kind: Kind, { id, urn, olds, signal, timeoutSeconds }: DeleteRequest): Promise<void> {
    const { inputs, live } = parseCheckpoint(olds);
    try {
        const at = await kind.collection(live, signal);
        // The kind is gone, and its objects with it.
        if (!at) return;
        if (kind.patch) {
            await at.apply(identity(live), { manager: fieldManager(inputs, olds, "") }).catch(requiredField);
            return;
        }
        const propagation = annotation(inputs, "pulumi.com/deletionPropagationPolicy") ?? "foreground";
        await at.delete(parseId(id).name, `${propagation.charAt(0).toUpperCase()}${propagation.slice(1)}`);
        const onStatus = (message: string) => void kind.context.engine.log("info", message, { urn, status: true });
        await gone(at, live, { seconds: waitSeconds(inputs, timeoutSeconds), signal, onStatus });
    } catch (error) {
        if (error instanceof Unreachable) return unreachable(kind, error, urn);
        ignoreMissing(error);
    }
}

/** A cluster that is gone takes its objects with it, if the operator says so. */
async function unreachable({ context }: Kind, { message }: Unreachable, urn: string): Promise<void> {
    await context.engine.log("warning", `configured Kubernetes cluster is unreachable: ${message}`, { urn });
    if (context.deleteUnreachable) return;
    throw new Error(
        'configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
    );
}
