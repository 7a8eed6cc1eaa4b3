import type { EngineLink } from "../provider.ts";
import type { ApiServer } from "./client.ts";
import type { Collection } from "./collection.ts";
import type { KubernetesObject, ObjectType } from "./objects.ts";
import type { Mutability } from "./rules.ts";

/** A configured provider, as its resources see it. */
export interface Context {
    engine: EngineLink;
    server: ApiServer | undefined;
    namespace: string;
    mutable: Mutability;
    enablePatchForce: boolean;
    deleteUnreachable: boolean;
}

/** A kind of object, managed by one provider. */
export interface Kind extends ObjectType {
    context: Context;
    /** The object's collection; undefined if the server does not know the kind. */
    collection(object: KubernetesObject, signal: AbortSignal): Promise<Collection | undefined>;
}
