import { AwsError } from "../error.ts";
import { type Filter, filtered, type Tag, withTags } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { type AnyTable, Table } from "../table.ts";
import { invalidValue, missing } from "./errors.ts";

/** Tags by resource ID. Stored apart from the resources: each account and region that sees a peering or a shared gateway has its own tags on it. */
const tags = new Table<{ id: string; Tags: Tag[] }>("ec2/tags");

/** The tags for a new resource, as EC2's create requests hold them. */
export interface TagSpecification {
    ResourceType: string;
    Tags?: Tag[];
}

/** A kind of resource that can be tagged. */
export interface Taggable {
    /** As in `TagSpecifications`: `security-group`. */
    type: string;
    table: AnyTable;
    /** Prefix of its IDs. */
    prefix: string;
}

/**
 * Tags a new resource.
 *
 * @throws AwsError if a specification is for another kind of resource, or a key is reserved
 */
export function tagNew(scope: Scope, type: string, id: string, specifications: TagSpecification[] | undefined): void {
    for (const { ResourceType, Tags } of specifications ?? []) {
        if (ResourceType !== type) throw invalidValue(`'${ResourceType}' is not a valid taggable resource type for this operation.`);
        refuseReservedKeys(Tags ?? []);
        addTags(scope, id, Tags ?? []);
    }
}

/** Tags a resource, also with AWS's own `aws:` tags: for services that create resources in EC2. */
export function addTags(scope: Scope, id: string, more: Tag[]): void {
    const all = withTags(tagsOf(scope, id), more);
    if (all.length > 50) throw new AwsError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.");
    tags.in(scope).put(id, { id, Tags: all });
}

function refuseReservedKeys(given: readonly Tag[]): void {
    if (given.some(({ Key }) => Key.startsWith("aws:"))) throw invalidValue("Tag keys starting with 'aws:' are reserved for internal use");
}

export function tagsOf(scope: Scope, id: string): Tag[] {
    return tags.in(scope).get(id)?.Tags ?? [];
}

export function deleteTagsOf(scope: Scope, id: string): void {
    if (tags.in(scope).get(id)) tags.in(scope).delete(id);
}

/** CreateTags, DeleteTags and DescribeTags for every kind of resource in `kinds`. */
export const tagActions = (kinds: readonly Taggable[]) => (scope: Scope) => {
    const kindsOf = (id: string) =>
        kinds.filter(({ prefix }) => id.startsWith(`${prefix}-`) && /^[0-9a-f]{17}$/.test(id.slice(prefix.length + 1)));
    const mustExist = (id: string) => {
        const exists = ({ table }: Taggable) => Object.hasOwn(scope.memory.read(scope.placeOf(table.shared), table.name), id);
        if (!kindsOf(id).some(exists)) throw missing("any", id);
    };
    return {
        createTags: ({ Resources, Tags }: { Resources: string[]; Tags: Tag[] }) => {
            Resources.forEach(mustExist);
            refuseReservedKeys(Tags);
            for (const id of Resources) addTags(scope, id, Tags);
        },
        /** A tag without a value is deleted whatever its value is; without `Tags`, all tags are deleted. */
        deleteTags: ({ Resources, Tags }: { Resources: string[]; Tags?: { Key: string; Value?: string }[] }) => {
            for (const id of Resources) {
                const matches = (tag: Tag) => !Tags || Tags.some(({ Key, Value }) => Key === tag.Key && (Value ?? tag.Value) === tag.Value);
                tags.in(scope).put(id, { id, Tags: tagsOf(scope, id).filter((tag) => !matches(tag)) });
            }
        },
        describeTags: ({ Filters }: { Filters?: Filter[] } = {}) => {
            const all = tags
                .in(scope)
                .list()
                .flatMap(({ id, Tags }) => Tags.map((tag) => ({ ...tag, ResourceId: id, ResourceType: kindsOf(id)[0]?.type ?? "" })));
            const fields = {
                "resource-id": ({ ResourceId }: (typeof all)[number]) => ResourceId,
                "resource-type": ({ ResourceType }: (typeof all)[number]) => ResourceType,
                key: ({ Key }: (typeof all)[number]) => Key,
                value: ({ Value }: (typeof all)[number]) => Value,
            };
            return { Tags: filtered(all, Filters, fields) };
        },
    };
};
