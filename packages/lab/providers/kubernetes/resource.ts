import { randomBytes } from "node:crypto";
import type { Checked, CheckRequest, ResourceType } from "../provider.ts";
import { createObject, updateObject } from "./apply.ts";
import { collectionOf } from "./collection.ts";
import type { Context, Kind } from "./kind.ts";
import { deleteObject, readObject } from "./live.ts";
import { type KubernetesObject, markSecretData, metadataOf, nameOf, namespaceOf, type ObjectType } from "./objects.ts";
import * as rules from "./rules.ts";

const NO_LISTS =
    "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be created directly. Use the underlying resource type instead";

/** Any object, or a patch of any object. Unlike the real provider, does not validate inputs against the server's schema before it sends them. */
export function objectResource(type: ObjectType, context: Context): ResourceType {
    const { apiVersion, kind: kindName, patch } = type;
    const kind: Kind = {
        ...type,
        context,
        collection: (object: KubernetesObject, signal: AbortSignal) =>
            collectionOf(context.server, { apiVersion, kind: kindName, ...object }, context.namespace, signal),
    };
    return {
        check: (request) => checkObject(kind, request),
        diff: ({ olds, news, ignoreChanges }) => rules.diffObject(olds, news, { mutable: context.mutable, patch, ignore: ignoreChanges }),
        create: (request) => createObject(kind, request),
        read: (request) => readObject(kind, request),
        update: (request) => updateObject(kind, request),
        delete: (request) => deleteObject(kind, request),
    };
}

async function checkObject(kind: Kind, { news, olds, name, randomSeed, signal }: CheckRequest): Promise<Checked> {
    if (kind.kind.endsWith("List")) throw new Error(NO_LISTS);
    if (kind.patch && !nameOf(news)) throw new Error("patch resources require the `.metadata.name` field to be set");
    const seed = randomSeed.length > 0 ? randomSeed : randomBytes(4);
    const object = rules.named(news, olds, `${name}-${Buffer.from(seed).toString("hex").slice(0, 8)}`);
    const { namespace } = kind.context;
    // A namespace that the provider sets becomes an input; `default` does not.
    const needsNamespace = namespace !== "default" && !namespaceOf(object);
    const isNamespaced = needsNamespace && (await kind.collection(object, signal).catch(() => undefined))?.namespaced;
    return { inputs: markSecretData(isNamespaced ? { ...object, metadata: { ...metadataOf(object), namespace } } : object) };
}
