import { ApiException } from "@kubernetes/client-node";

/** Handler for `catch` that turns the API server's HTTP status `code` into undefined and rethrows every other error. */
export function ignoreStatus(code: number): (error: unknown) => undefined {
    return (error) => {
        if (error instanceof ApiException && error.code === code) return undefined;
        throw error;
    };
}
