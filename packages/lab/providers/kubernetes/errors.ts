import { ApiError } from "./client.ts";

const CONFLICT_HELP =
    "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources";

const ALREADY_THERE = [
    "The resource already exists in the cluster. This can happen when:",
    "",
    "  - Renaming a Pulumi resource: use an alias to preserve the identity,",
    "    or use deleteBeforeReplace if the resource needs replacement.",
    "  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch)",
    "    to manage specific fields without owning the resource lifecycle.",
    "  - Adopting a resource into Pulumi: use `pulumi import`. Note that",
    "    protected resources (e.g. kube-system) cannot be deleted on destroy.",
    "  - Intentional upsert: set upsertExistingObjects on the provider to allow",
    "    server-side apply to update existing objects on create.",
].join("\n");

/** Retries on 404, because the object's namespace may be created at the same time. A preview does not retry. */
export async function retryNotFound<T>(attempt: () => Promise<T>, preview: boolean): Promise<T> {
    for (let waitMs = 200, retries = preview ? 0 : 5; ; retries -= 1, waitMs *= 2) {
        try {
            return await attempt();
        } catch (error) {
            if (retries === 0 || !(error instanceof ApiError && error.status === 404)) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
}

/** Adds help to a field conflict; rethrows other errors. */
export function explainConflict(manager: string) {
    return (error: unknown): never => {
        if (!(error instanceof ApiError && error.reason === "Conflict")) throw error;
        throw new Error(
            `server-side apply field conflict detected, see ${CONFLICT_HELP} for troubleshooting help\nThe resource managed by field manager "${manager}" had an apply conflict: ${error.message}`,
        );
    };
}

/** Explains why a patch cannot release a required field; rethrows other errors. */
export function explainRequiredField(error: unknown): never {
    if (!(error instanceof ApiError && error.reason === "Invalid" && error.message.includes("Required value"))) throw error;
    const field = error.causes.find(({ reason }) => reason === "FieldValueRequired")?.field ?? "";
    throw new Error(
        `this Patch resource is currently managing a required field, so it can't be deleted directly. Either set the \`retainOnDelete\` resource option, or transfer ownership of the field before deleting: ${field}`,
    );
}

/** Help for an object that already exists; empty for other errors. */
export function existsHelp(error: unknown): string {
    return error instanceof ApiError && error.reason === "AlreadyExists" ? `\n\n${ALREADY_THERE}` : "";
}

export function noSuchKind(apiVersion: string, kind: string): ApiError {
    return new ApiError(404, JSON.stringify({ message: `no matches for kind "${kind}" in version "${apiVersion}"`, reason: "NoMatch" }));
}
