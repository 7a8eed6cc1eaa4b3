import { AwsError } from "./error.ts";

/** A tag, as most services spell it; EKS, KMS, RAM and CloudWatch Logs have their own form. */
export interface Tag {
    Key: string;
    Value: string;
}

export interface Filter {
    Name: string;
    Values: string[];
}

/** Maps the name of a filter to the values of a row that it compares. */
type FilterFields<T> = Record<string, (row: Readonly<T>) => string | boolean | number | undefined | readonly (string | undefined)[]>;

/**
 * Returns the rows that match every filter, with `*` and `?` as wildcards as in AWS. `tag:KEY` and `tag-key` work for rows with tags.
 *
 * @throws AwsError for any other name that is not in `fields`, as AWS does
 */
export function filtered<T extends object>(
    rows: readonly Readonly<T>[],
    filters: readonly Filter[] | undefined,
    fields: FilterFields<T>,
): Readonly<T>[] {
    return (filters ?? []).reduce<Readonly<T>[]>(
        (remaining, { Name, Values }) => {
            const valuesOf = fieldFor(Name, fields);
            const patterns = Values.map(toRegExp);
            return remaining.filter((row) =>
                [valuesOf(row)].flat().some((value) => patterns.some((pattern) => value !== undefined && pattern.test(String(value)))),
            );
        },
        [...rows],
    );
}

function fieldFor<T extends object>(name: string, fields: FilterFields<T>): FilterFields<T>[string] {
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

function toRegExp(text: string): RegExp {
    return new RegExp(
        `^${text
            .replace(/[.+^${}()|[\]\\]/g, "\\$&")
            .replaceAll("*", ".*")
            .replaceAll("?", ".")}$`,
        "s",
    );
}

/** Merges tags; those in `more` win. */
export function withTags(tags: readonly Tag[] | undefined, more: readonly Tag[] | undefined): Tag[] {
    return [...new Map([...(tags ?? []), ...(more ?? [])].map(({ Key, Value }) => [Key, Value ?? ""]))].map(([Key, Value]) => ({
        Key,
        Value,
    }));
}
