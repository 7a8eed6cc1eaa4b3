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

/** Dials through the wire, says something, and collects what comes back. */
function dial(text: string) {
    const near = connect({ path: join(folder, "near") });
    sockets.push(near);
    const heard: Buffer[] = [];
    near.on("data", (data) => heard.push(data)).on("error", () => {});
    near.write(text);
    return { near, heard: () => Buffer.concat(heard).toString(), over: new Promise((resolve) => near.on("close", resolve)) };
}

beforeEach(async () => {
    folder = await temporaryFolder();
    open = true;
    // Says all back once it has heard all.
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

test("carries both ways, also when one side has said all", async () => {
    const { near, heard } = dial("hello");
    near.end(" west");
    await once(near, "end");
    expect(heard()).toBe("hello west");
});

test("a connection made while the way is closed waits, and loses nothing", async () => {
    open = false;
    const { near, heard } = dial("hello");
    wire.look();
    near.write(" west");
    await once(near, "connect");
    expect(heard()).toBe("");
    open = true;
    wire.look();
    near.end();
    await once(near, "end");
    expect(heard()).toBe("hello west");
});

test("living connections are cut when the way closes, and waiting ones that were given up are forgotten", async () => {
    const { near, over } = dial("hello");
    await once(near, "data");
    open = false;
    const waiting = dial("hello");
    await once(waiting.near, "connect");
    waiting.near.end();
    await waiting.over;
    wire.look();
    await over;
    expect(near.destroyed).toBe(true);
});

test("where nobody listens at the other end, it ends at once", async () => {
    far.close();
    await once(far, "close");
    const { over } = dial("hello");
    await over;
});
