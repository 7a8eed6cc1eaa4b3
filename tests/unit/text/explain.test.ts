import { ApiException } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { explain } from "../../../core/text/explain.ts";

test.each([
    [
        "the API server's message, parsed",
        new ApiException(403, "x", { kind: "Status", message: "pods is forbidden" }, {}),
        "pods is forbidden (HTTP 403)",
    ],
    [
        "the API server's message, as text",
        new ApiException(409, "x", '{"kind":"Status","message":"already exists"}', {}),
        "already exists (HTTP 409)",
    ],
    ["a proxy's page", new ApiException(502, "x", "Bad Gateway\n", {}), "Bad Gateway (HTTP 502)"],
    ["a response without a body", new ApiException(500, "x", "", {}), "HTTP-Code: 500"],
    [
        "the cause of a failed fetch",
        new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") }),
        "fetch failed: connect ECONNREFUSED 127.0.0.1:1",
    ],
    ["a system error, whose code is not an HTTP status", Object.assign(new Error("spawn x ENOENT"), { code: "ENOENT" }), "spawn x ENOENT"],
    ["a WebSocket's event", { type: "error", message: "Unexpected server response: 403" }, "Unexpected server response: 403"],
    ["a thrown value that is not an error", "late", "late"],
    ["nothing", undefined, "undefined"],
])("%s", (_, error, expected) => {
    expect(explain(error)).toMatch(expected);
});
