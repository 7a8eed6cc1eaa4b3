import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openWire, type Wire } from "../../nodes-simulated/wire.ts";
import { temporaryFolder } from "../harness.ts";

let folder: string;
let far: Server;
let wire: Wire;
let open: boolean;
const sockets: Socket[] = [];

/** Dials through the wire, sends a text, and collects what comes back. */
function dial(text: string) {
    const near = connect({ path: join(folder, "near") });
    sockets.push(near);
    const received: Buffer[] = [];
    near.on("data", (data) => received.push(data)).on("error", () => {});
    near.write(text);
    return { near, received: () => Buffer.concat(received).toString(), closed: new Promise((resolve) => near.on("close", resolve)) };
}

beforeEach(async () => {
    folder = await temporaryFolder();
    open = true;
    // Echoes everything.
    far = createServer({ allowHalfOpen: true }, (socket) => {
        sockets.push(socket);
        socket.on("error", () => {}).pipe(socket);
    });
    far.listen(join(folder, "far"));
    await once(far, "listening");
    wire = await openWire(join(folder, "near"), () => (open ? { path: join(folder, "far") } : undefined));
});

afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await wire.close();
    far.close();
    await rm(folder, { recursive: true });
});

test("carries both directions, also after one side has closed its own", async () => {
    const { near, received } = dial("hello");
    near.end(" west");
    await once(near, "end");
    expect(received()).toBe("hello west");
});

test("a connection opened while the path is closed waits and loses nothing", async () => {
    open = false;
    const { near, received } = dial("hello");
    wire.check();
    near.write(" west");
    await once(near, "connect");
    expect(received()).toBe("");
    open = true;
    wire.check();
    near.end();
    await once(near, "end");
    expect(received()).toBe("hello west");
});

test("established connections are cut when the path closes, and waiting ones end when their client gives up", async () => {
    const { near, closed } = dial("hello");
    await once(near, "data");
    open = false;
    const waiting = dial("hello");
    await once(waiting.near, "connect");
    waiting.near.end();
    await waiting.closed;
    wire.check();
    await closed;
    expect(near.destroyed).toBe(true);
});

test("a connection ends at once if nothing listens at the other end", async () => {
    far.close();
    await once(far, "close");
    const { closed } = dial("hello");
    await closed;
});
