import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

/**
 * Free loopback ports, the wanted ones where they are free. All are held until the last is found, so that no two are the same.
 *
 * Between this and the program's own bind another program may take one; who starts servers on them tries again with others.
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
            if (!server) throw new Error("no free port on 127.0.0.1");
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
