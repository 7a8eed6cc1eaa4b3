import { randomBytes } from "node:crypto";
import type { EngineLink, ResourceType } from "../provider.ts";
import { createObject, updateObject } from "./apply.ts";
import type { ApiServer } from "./client.ts";
import { type Collection, collectionOf } from "./collection.ts";
import { deleteObject, readObject } from "./live.ts";
import { type KubernetesObject, markSecretData, metadataOf, nameOf, namespaceOf, type ObjectType } from "./objects.ts";
import * as rules from "./rules.ts";

/** What a configured provider gives its resources. */
export interface Context {
    engine: EngineLink;
    server: ApiServer | undefined;
    namespace: string;
    mutable: rules.Mutability;
    enablePatchForce: boolean;
    deleteUnreachable: boolean;
}

/** A kind of object as one provider handles it. */
export interface Kind extends ObjectType {
    context: Context;
    /** Where an object of the kind is; undefined: the server has no such kind. */
    collection(object: KubernetesObject, signal: AbortSignal): Promise<Collection | undefined>;
}

const NO_LISTS =
    "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be created directly. Use the underlying resource type instead";

/** Any object, and a patch of any object. Inputs are not checked against the server's schema before they are sent, as the real provider does. */
export function objectResource(type: ObjectType, context: Context): ResourceType {
    const { apiVersion, kind, patch } = type;
    const collection = (object: KubernetesObject, signal: AbortSignal) =>
        collectionOf(context.server, { apiVersion, kind, ...object }, context.namespace, signal);
    const self: Kind = { ...type, context, collection };
    return {
        check: async ({ news, olds, name, randomSeed, signal }) => {
            if (kind.endsWith("List")) throw new Error(NO_LISTS);
            if (patch && !nameOf(news)) throw new Error("patch resources require the `.metadata.name` field to be set");
            const seed = randomSeed.length > 0 ? randomSeed : randomBytes(4);
            const object = rules.named(news, olds, `${name}-${Buffer.from(seed).toString("hex").slice(0, 8)}`);
            // A namespace of the provider is written into the inputs; that of all providers is not.
            const own = context.namespace !== "default" && !namespaceOf(object);
            const namespaced = own && (await collection(object, signal).catch(() => undefined))?.namespaced;
            return {
                inputs: markSecretData(
                    namespaced ? { ...object, metadata: { ...metadataOf(object), namespace: context.namespace } } : object,
                ),
            };
        },
        diff: ({ olds, news, ignoreChanges }) => rules.diffObject(olds, news, { mutable: context.mutable, patch, ignore: ignoreChanges }),
        create: (request) => createObject(self, request),
        read: (request) => readObject(self, request),
        update: (request) => updateObject(self, request),
        delete: (request) => deleteObject(self, request),
    };
}
