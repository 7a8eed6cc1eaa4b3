import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

/**
 * Finds free loopback ports, the wanted ones if they are free. Holds all of them until the last is found, so that no two are the same.
 *
 * Another program may take a port before the server binds it: callers must try again with other ports.
 */
export async function freePorts<Name extends string>(
    names: readonly Name[],
    wanted: Partial<Record<Name, number>> = {},
): Promise<Record<Name, number>> {
    const servers: Server[] = [];
    try {
        const ports: Partial<Record<Name, number>> = {};
        for (const name of names) {
            const server = (await listen(wanted[name] ?? 0)) ?? (await listen(0));
            if (!server) throw new Error("127.0.0.1 has no free port");
            servers.push(server);
            ports[name] = (server.address() as AddressInfo).port;
        }
        return ports as Record<Name, number>;
    } finally {
        await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    }
}

async function listen(port: number): Promise<Server | undefined> {
    const server = createServer().listen(port, "127.0.0.1");
    try {
        await once(server, "listening");
        return server;
    } catch {
        return undefined;
    }
}
