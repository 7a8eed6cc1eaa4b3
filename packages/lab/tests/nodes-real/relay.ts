// Takes connections to the API server in the network namespace in which it runs: node relay.ts <unix socket> <address>...
import { connect, createServer } from "node:net";

const [socket = "", ...addresses] = process.argv.slice(2);
for (const address of addresses) {
    const server = createServer({ allowHalfOpen: true }, (client) => {
        const behind = connect({ path: socket, allowHalfOpen: true });
        client.pipe(behind).pipe(client);
        client.on("error", () => behind.destroy());
        behind.on("error", () => client.destroy());
    });
    server.listen(443, address, () => console.log(`listening on ${address}`));
}
