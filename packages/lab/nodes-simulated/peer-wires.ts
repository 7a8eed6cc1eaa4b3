import { mkdirSync } from "node:fs";
import { socketIn } from "./sandbox.ts";
import { openWire, type Wire } from "./wire.ts";

/** The wires from a cluster's client to the addresses of its peers. */
export class PeerWires {
    readonly #folder: string;
    readonly #wires = new Map<string, Wire>();

    /** @param folder for the wires' sockets */
    constructor(folder: string) {
        this.#folder = folder;
    }

    /**
     * Opens a wire for each address and closes all other wires. Wires that are open already stay as they are.
     *
     * @param lead the socket to which connections to an address lead; undefined: packets are lost
     * @returns socket of each address
     */
    async open(addresses: readonly string[], lead: (address: string) => string | undefined): Promise<Map<string, string>> {
        mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
        const sockets = new Map(addresses.map((address) => [address, socketIn(this.#folder, address)]));
        for (const [address, wire] of this.#wires) {
            if (sockets.has(address)) continue;
            this.#wires.delete(address);
            await wire.close();
        }
        for (const [address, socket] of sockets) {
            if (this.#wires.has(address)) continue;
            const target = () => {
                const path = lead(address);
                return path === undefined ? undefined : { path };
            };
            this.#wires.set(address, await openWire(socket, target));
        }
        return sockets;
    }

    /** Checks where each wire leads now. */
    check(): void {
        for (const wire of this.#wires.values()) wire.check();
    }

    async close(): Promise<void> {
        for (const wire of this.#wires.values()) await wire.close();
        this.#wires.clear();
    }
}
