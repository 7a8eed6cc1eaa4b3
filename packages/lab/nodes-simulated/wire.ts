import { once } from "node:events";
import { createConnection, createServer, type NetConnectOpts, type Socket } from "node:net";

/** Leads connections out of a sandbox. */
export interface Wire {
    /** Where connections may go now may be another place, or none. */
    look(): void;
    close(): Promise<void>;
}

/**
 * Listens on a unix socket and leads each connection to where `lead` says. While it says nowhere, a new connection hangs, as one whose packets are lost: it goes
 * through when the way is open again, if its maker still waits. Those that live are cut.
 */
export async function openWire(socket: string, lead: () => NetConnectOpts | undefined): Promise<Wire> {
    const connections = new Set<{ look(): void; cut(): void }>();
    // A connection's one half may end before the other.
    const server = createServer({ allowHalfOpen: true }, (near) => {
        const connection = carry(near, lead);
        connections.add(connection);
        near.on("close", () => connections.delete(connection));
    });
    server.listen(socket);
    await once(server, "listening");
    const all = (what: "look" | "cut") => {
        for (const connection of [...connections]) connection[what]();
    };
    return {
        look: () => all("look"),
        async close() {
            all("cut");
            server.close();
            await once(server, "close");
        },
    };
}

function carry(near: Socket, lead: () => NetConnectOpts | undefined) {
    let far: Socket | undefined;
    const held: Buffer[] = [];
    const hold = (data: Buffer) => held.push(data);
    const giveUp = () => near.destroy();
    // Read while it hangs, or its end would not be noticed.
    near.on("data", hold).on("end", giveUp);
    near.on("error", () => {}).on("close", () => far?.destroy());

    const connect = (to: NetConnectOpts) => {
        const made = createConnection({ ...to, allowHalfOpen: true });
        far = made;
        made.on("error", () => {}).on("close", () => near.destroy());
        made.once("connect", () => {
            near.off("data", hold).off("end", giveUp);
            for (const data of held) made.write(data);
            near.pipe(made);
            made.pipe(near);
        });
    };
    const look = () => {
        const to = lead();
        if (!to && far) near.destroy();
        if (to && !far) connect(to);
    };
    look();
    return { look, cut: () => near.destroy() };
}
