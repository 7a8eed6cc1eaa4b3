import { once } from "node:events";
import { createConnection, createServer, type NetConnectOpts, type Socket } from "node:net";

/** Carries connections out of a sandbox. */
export interface Wire {
    /** Checks where connections lead now: the target may have changed, or packets may be lost. */
    check(): void;
    close(): Promise<void>;
}

/**
 * Listens on a unix socket and carries each connection to the target that `lead` returns. While `lead` returns undefined, established
 * connections are cut, and a new one hangs as if its packets were lost: it goes through once there is a target, if the client still waits.
 */
export async function openWire(socket: string, lead: () => NetConnectOpts | undefined): Promise<Wire> {
    const connections = new Set<Connection>();
    // One direction of a connection may end before the other.
    const server = createServer({ allowHalfOpen: true }, (near) => {
        const connection = carry(near, lead);
        connections.add(connection);
        near.on("close", () => connections.delete(connection));
    });
    server.listen(socket);
    await once(server, "listening");
    return {
        check() {
            for (const connection of [...connections]) connection.check();
        },
        async close() {
            for (const connection of [...connections]) connection.cut();
            server.close();
            await once(server, "close");
        },
    };
}

interface Connection {
    check(): void;
    cut(): void;
}

function carry(near: Socket, lead: () => NetConnectOpts | undefined): Connection {
    let far: Socket | undefined;
    const held: Buffer[] = [];
    const hold = (data: Buffer) => held.push(data);
    const giveUp = () => near.destroy();
    // A hanging connection is read too: otherwise nobody would notice that the client closes it.
    near.on("data", hold).on("end", giveUp);
    near.on("error", () => {}).on("close", () => far?.destroy());

    const connect = (target: NetConnectOpts) => {
        const opened = createConnection({ ...target, allowHalfOpen: true });
        far = opened;
        opened.on("error", () => {}).on("close", () => near.destroy());
        opened.once("connect", () => {
            near.off("data", hold).off("end", giveUp);
            for (const data of held) opened.write(data);
            near.pipe(opened);
            opened.pipe(near);
        });
    };
    const check = () => {
        const target = lead();
        if (!target && far) near.destroy();
        if (target && !far) connect(target);
    };
    check();
    return { check, cut: () => near.destroy() };
}
