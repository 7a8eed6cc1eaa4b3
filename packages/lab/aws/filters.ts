import { AwsError } from "./error.ts";

/** As all services but IAM and EKS spell it. */
export interface Tag {
    Key: string;
    Value: string;
}

export interface Filter {
    Name: string;
    Values: string[];
}

/** What a filter of some name looks at in a row. */
export type FilterFields<T> = Record<string, (row: Readonly<T>) => string | boolean | number | undefined | readonly (string | undefined)[]>;

/**
 * The rows that pass every filter, with `*` and `?` as AWS reads them. `tag:KEY` and `tag-key` work for rows with tags; a name that is neither among
 * `fields` is refused, as AWS does.
 */
export function filtered<T extends object>(
    rows: readonly Readonly<T>[],
    filters: readonly Filter[] | undefined,
    fields: FilterFields<T>,
): Readonly<T>[] {
    return (filters ?? []).reduce<Readonly<T>[]>(
        (left, { Name, Values }) => {
            const look = lookFor(Name, fields);
            const wanted = Values.map(pattern);
            return left.filter((row) =>
                [look(row)].flat().some((value) => wanted.some((one) => value !== undefined && one.test(String(value)))),
            );
        },
        [...rows],
    );
}

function lookFor<T extends object>(name: string, fields: FilterFields<T>): FilterFields<T>[string] {
    if (name === "tag-key") return (row) => tagsIn(row).map(({ Key }) => Key);
    if (name.startsWith("tag:"))
        return (row) =>
            tagsIn(row)
                .filter(({ Key }) => Key === name.slice(4))
                .map(({ Value }) => Value);
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!field) throw new AwsError("InvalidParameterValue", `The filter '${name}' is invalid`);
    return field;
}

function tagsIn(row: object): readonly Tag[] {
    return "Tags" in row && Array.isArray(row.Tags) ? row.Tags : [];
}

function pattern(text: string): RegExp {
    return new RegExp(
        `^${text
            .replace(/[.+^${}()|[\]\\]/g, "\\$&")
            .replaceAll("*", ".*")
            .replaceAll("?", ".")}$`,
        "s",
    );
}

/** `tags` with those of `more` put over them. */
export function withTags(tags: readonly Tag[] | undefined, more: readonly Tag[] | undefined): Tag[] {
    return [...new Map([...(tags ?? []), ...(more ?? [])].map(({ Key, Value }) => [Key, Value ?? ""]))].map(([Key, Value]) => ({
        Key,
        Value,
    }));
}
