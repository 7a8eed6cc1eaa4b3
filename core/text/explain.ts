/**
 * The message of an error for people: the API server's own message instead of the dump of status, body and headers in `ApiException`, and the cause that
 * "fetch failed" omits.
 */
export function explain(error: unknown): string {
    const { message, body, code, cause } = (error ?? {}) as { message?: unknown; body?: unknown; code?: unknown; cause?: unknown };
    const reported = typeof code === "number" ? apiMessage(body) : undefined;
    if (reported) return `${reported} (HTTP ${code})`;
    // A failed WebSocket rejects with an event that has a message but is not an Error.
    if (typeof message !== "string") return String(error);
    const reason = cause instanceof Error ? explain(cause) : "";
    return reason && !message.includes(reason) ? `${message}: ${reason}` : message;
}

/** The message of a `Status` object, which clients return as text or parsed. */
function apiMessage(body: unknown): string | undefined {
    let status = body;
    if (typeof body === "string") {
        try {
            status = JSON.parse(body);
        } catch {
            return body.trim() || undefined;
        }
    }
    const message = (status as { message?: unknown } | null)?.message;
    return typeof message === "string" ? message : undefined;
}
