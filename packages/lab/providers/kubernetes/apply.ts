import { randomBytes } from "node:crypto";
import { type Created, type CreateRequest, NotReady, type UpdateRequest } from "../provider.ts";
import { hasUnknowns } from "../values.ts";
import { AwaitError, waitForRollout } from "./await.ts";
import { ApiError, Unreachable } from "./client.ts";
import type { Collection } from "./collection.ts";
import { existsHelp, explainConflict, noSuchKind, retryNotFound } from "./errors.ts";
import type { Kind } from "./kind.ts";
import {
    adoptedManagers,
    checkpoint,
    identity,
    idOf,
    type KubernetesObject,
    metadataOf,
    nameOf,
    normalized,
    parseCheckpoint,
} from "./objects.ts";
import { fieldManager, forces, skipsAwait, waitSeconds } from "./rules.ts";

/** Field manager of a create; the first apply takes over its fields. */
const CREATE_MANAGER = "pulumi-kubernetes";

/** A field manager name that nothing else uses. */
export function freshManager(): string {
    return `pulumi-kubernetes-${randomBytes(4).toString("hex")}`;
}

/** Posts an object, so that one that already exists is not overwritten; a patch is applied. */
export async function createObject(kind: Kind, request: CreateRequest): Promise<Created> {
    const { inputs, marked, preview, signal, urn } = request;
    if (preview && (kind.patch || hasUnknowns(inputs))) return { id: "", outputs: inputs };
    const manager = fieldManager(inputs, {}, freshManager());
    try {
        const collection = await kind.collection(inputs, signal);
        if (!collection) throw noSuchKind(kind.apiVersion, kind.kind);
        const live = kind.patch
            ? await collection
                  .apply(inputs, { manager, force: forces(inputs, kind.context.enablePatchForce) })
                  .catch(explainConflict(manager))
            : await retryNotFound(() => collection.create(inputs, { manager: CREATE_MANAGER, dryRun: preview }), preview);
        if (preview) {
            const { status: _, ...planned } = live;
            return { id: "", outputs: checkpoint(inputs, planned, manager, marked) };
        }
        return await waitUntilReady(kind, { ...request, collection, live, inputs, manager }, (reason) => [
            `resource "${urn}" was successfully created, but the Kubernetes API server reported that it failed to fully initialize or become live: ${reason}`,
        ]);
    } catch (error) {
        // The same program may create its namespace or CRD, in which case the server cannot plan it.
        if (preview) return { id: "", outputs: inputs };
        throw wrapped(error, `resource "${urn}" was not successfully created by the Kubernetes API server`);
    }
}

/** Applies the inputs: fields that the program removed leave the object, fields of others stay. */
export async function updateObject(kind: Kind, request: UpdateRequest): Promise<Pick<Created, "outputs">> {
    const { olds, marked, preview, signal, urn } = request;
    const inputs = normalized(request.inputs);
    if (preview && hasUnknowns(inputs)) return { outputs: inputs };
    const manager = fieldManager(inputs, olds, freshManager());
    const previousManager = fieldManager(parseCheckpoint(olds).inputs, olds, manager);
    try {
        const collection = await kind.collection(inputs, signal);
        if (!collection) throw noSuchKind(kind.apiVersion, kind.kind);
        let live = await collection.get(nameOf(inputs));
        const adopted = kind.patch ? undefined : adoptedManagers(live, manager);
        if (adopted && !preview) live = await takeOver(collection, live, adopted);
        const force = forces(inputs, kind.context.enablePatchForce) || (preview && adopted !== undefined);
        const applied = await collection.apply(inputs, { manager, force, dryRun: preview }).catch(explainConflict(manager));
        if (preview) return { outputs: checkpoint(inputs, applied, manager, marked) };
        const updated = await waitUntilReady(kind, { ...request, collection, live: applied, inputs, manager }, (reason) => [
            `the Kubernetes API server reported that "${idOf(live)}" failed to fully initialize or become live: ${reason}`,
        ]);
        if (previousManager !== manager) await collection.apply(identity(live), { manager: previousManager });
        return updated;
    } catch (error) {
        const cannotPlan = error instanceof Unreachable || (error instanceof ApiError && error.reason === "Forbidden");
        if (preview && cannotPlan) return { outputs: inputs };
        throw wrapped(error, `update of resource "${urn}" failed`);
    }
}

interface Applied extends CreateRequest {
    collection: Collection;
    live: KubernetesObject;
    manager: string;
}

/**
 * Waits until the object has rolled out.
 *
 * @throws NotReady if it does not: the object exists, so the engine must keep it
 */
async function waitUntilReady(
    kind: Kind,
    { collection, live, inputs, manager, marked, ...request }: Applied,
    describe: (reason: string) => string[],
) {
    const state = (object: KubernetesObject) => ({ id: idOf(object), outputs: checkpoint(inputs, object, manager, marked) });
    if (skipsAwait(inputs)) return state(live);
    try {
        const onStatus = (message: string) => void kind.context.engine.log("info", message, { urn: request.urn, status: true });
        const seconds = waitSeconds(inputs, request.timeoutSeconds);
        return state(await waitForRollout(collection, live, { seconds, signal: request.signal, onStatus }));
    } catch (error) {
        const [last, reasons] = error instanceof AwaitError ? [error.live, error.reasons] : [live, []];
        throw new NotReady(state(last), [...describe((error as Error).message), ...reasons]);
    }
}

function takeOver(collection: Collection, live: KubernetesObject, managedFields: unknown): Promise<KubernetesObject> {
    const { resourceVersion } = metadataOf(live);
    return collection.patch(nameOf(live), [
        { op: "replace", path: "/metadata/managedFields", value: managedFields },
        // Fails if the object has changed since it was read.
        { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
    ]);
}

function wrapped(error: unknown, what: string): Error {
    if (error instanceof NotReady) return error;
    if (error instanceof Unreachable) return new Error(`configured Kubernetes cluster is unreachable: ${error.message}`);
    return new Error(`${what}: ${(error as Error).message}${existsHelp(error)}`);
}
