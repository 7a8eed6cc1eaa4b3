/**
 * What an error says, for people: the API server's own sentence instead of a dump of status, body and headers (as `ApiException` has it), and the cause
 * that "fetch failed" leaves out.
 */
export function explain(error: unknown): string {
    const { message, body, code, cause } = (error ?? {}) as { message?: unknown; body?: unknown; code?: unknown; cause?: unknown };
    const said = typeof code === "number" ? apiMessage(body) : undefined;
    if (said) return `${said} (HTTP ${code})`;
    // A failed WebSocket rejects with an event, which has a message but is no Error.
    if (typeof message !== "string") return String(error);
    const reason = cause instanceof Error ? explain(cause) : "";
    return reason && !message.includes(reason) ? `${message}: ${reason}` : message;
}

/** The message of a `Status` object, which clients hand on as text or parsed. */
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
