import { randomBytes } from "node:crypto";
import { type Created, type CreateRequest, NotReady, type UpdateRequest } from "../provider.ts";
import { hasUnknowns } from "../values.ts";
import { AwaitError, rolledOut } from "./await.ts";
import { ApiError, Unreachable } from "./client.ts";
import type { Collection } from "./collection.ts";
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
import { existsHelp, explained, noSuchKind, retried } from "./refusals.ts";
import type { Kind } from "./resource.ts";
import { fieldManager, forces, skipsAwait, waitSeconds } from "./rules.ts";

/** Under which a create sets fields; the first apply takes them over. */
const CREATE_MANAGER = "pulumi-kubernetes";

/** A name under which nobody else applies. */
export function freshManager(): string {
    return `pulumi-kubernetes-${randomBytes(4).toString("hex")}`;
}

/** An object is posted, so that one which is there already is not taken over; a patch is applied. */
export async function createObject(kind: Kind, request: CreateRequest): Promise<Created> {
    const { inputs, marked, preview, signal, urn } = request;
    if (preview && (kind.patch || hasUnknowns(inputs))) return { id: "", outputs: inputs };
    const manager = fieldManager(inputs, {}, freshManager());
    try {
        const at = await kind.collection(inputs, signal);
        if (!at) throw noSuchKind(kind.apiVersion, kind.kind);
        const live = kind.patch
            ? await at.apply(inputs, { manager, force: forces(inputs, kind.context.enablePatchForce) }).catch(explained(manager))
            : await retried(() => at.create(inputs, { manager: CREATE_MANAGER, dryRun: preview }), preview);
        if (preview) {
            const { status: _, ...planned } = live;
            return { id: "", outputs: checkpoint(inputs, planned, manager, marked) };
        }
        return await settled(kind, { ...request, at, live, inputs, manager }, (reason) => [
            `resource "${urn}" was successfully created, but the Kubernetes API server reported that it failed to fully initialize or become live: ${reason}`,
        ]);
    } catch (error) {
        // Its namespace or definition may be made by the same program: the server cannot plan it then.
        if (preview) return { id: "", outputs: inputs };
        throw refused(error, `resource "${urn}" was not successfully created by the Kubernetes API server`);
    }
}

/** Applies the inputs: what has left them leaves the object, what others have put there stays. */
export async function updateObject(kind: Kind, request: UpdateRequest): Promise<Pick<Created, "outputs">> {
    const { olds, marked, preview, signal, urn } = request;
    const inputs = normalized(request.inputs);
    if (preview && hasUnknowns(inputs)) return { outputs: inputs };
    const manager = fieldManager(inputs, olds, freshManager());
    const before = fieldManager(parseCheckpoint(olds).inputs, olds, manager);
    try {
        const at = await kind.collection(inputs, signal);
        if (!at) throw noSuchKind(kind.apiVersion, kind.kind);
        let live = await at.get(nameOf(inputs));
        const adopted = kind.patch ? undefined : adoptedManagers(live, manager);
        if (adopted && !preview) live = await takeOver(at, live, adopted);
        const force = forces(inputs, kind.context.enablePatchForce) || (preview && adopted !== undefined);
        const applied = await at.apply(inputs, { manager, force, dryRun: preview }).catch(explained(manager));
        if (preview) return { outputs: checkpoint(inputs, applied, manager, marked) };
        const made = await settled(kind, { ...request, at, live: applied, inputs, manager }, (reason) => [
            `the Kubernetes API server reported that "${idOf(live)}" failed to fully initialize or become live: ${reason}`,
        ]);
        if (before !== manager) await at.apply(identity(live), { manager: before });
        return made;
    } catch (error) {
        const unplanned = error instanceof Unreachable || (error instanceof ApiError && error.reason === "Forbidden");
        if (preview && unplanned) return { outputs: inputs };
        throw refused(error, `update of resource "${urn}" failed`);
    }
}

interface Applied extends CreateRequest {
    at: Collection;
    live: KubernetesObject;
    manager: string;
}

/** The object once it has rolled out. @throws NotReady when it does not: it is there, and the engine must know it */
async function settled(kind: Kind, { at, live, inputs, manager, marked, ...request }: Applied, sentence: (reason: string) => string[]) {
    const state = (object: KubernetesObject) => ({ id: idOf(object), outputs: checkpoint(inputs, object, manager, marked) });
    if (skipsAwait(inputs)) return state(live);
    try {
        const onStatus = (message: string) => void kind.context.engine.log("info", message, { urn: request.urn, status: true });
        const seconds = waitSeconds(inputs, request.timeoutSeconds);
        return state(await rolledOut(at, live, { seconds, signal: request.signal, onStatus }));
    } catch (error) {
        const [last, reasons] = error instanceof AwaitError ? [error.live, error.reasons] : [live, []];
        throw new NotReady(state(last), [...sentence((error as Error).message), ...reasons]);
    }
}

function takeOver(at: Collection, live: KubernetesObject, managedFields: unknown): Promise<KubernetesObject> {
    const { resourceVersion } = metadataOf(live);
    return at.patch(nameOf(live), [
        { op: "replace", path: "/metadata/managedFields", value: managedFields },
        // Whoever has changed it since must not be overlooked.
        { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
    ]);
}

function refused(error: unknown, what: string): Error {
    if (error instanceof NotReady) return error;
    if (error instanceof Unreachable) return new Error(`configured Kubernetes cluster is unreachable: ${error.message}`);
    return new Error(`${what}: ${(error as Error).message}${existsHelp(error)}`);
}
