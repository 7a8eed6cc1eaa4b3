// Forwards connections from the network namespace in which it runs to the API server: node relay.ts <unix socket> <address>...
import { connect, createServer } from "node:net";

const [socket = "", ...addresses] = process.argv.slice(2);
for (const address of addresses) {
    const listener = createServer({ allowHalfOpen: true }, (client) => {
        const server = connect({ path: socket, allowHalfOpen: true });
        client.pipe(server).pipe(client);
        client.on("error", () => server.destroy());
        server.on("error", () => client.destroy());
    });
    listener.listen(443, address, () => console.log(`listening on ${address}`));
}
