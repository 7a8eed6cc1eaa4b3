import { EngineConnection } from "./engine.ts";
import type { Package, Provider } from "./provider.ts";

/** The state of one engine connection: a provider with its own configuration. */
export interface Session {
    provider: Provider;
    engine: EngineConnection;
    /** Aborted when the engine cancels. */
    cancelled: AbortController;
}

/**
 * The sessions of one package, by the engine's address. All providers of a package use the same port, each over its own connection, so the connection is what
 * keeps their configurations apart.
 */
export class Sessions {
    readonly #package: Package;
    readonly #byPeer = new Map<string, Session>();

    constructor(pkg: Package) {
        this.#package = pkg;
    }

    /** @throws Error for a connection that has not attached */
    of(peer: string): Session {
        const session = this.#byPeer.get(peer);
        if (session) return session;
        // Using another session would be wrong: its configuration may point to another cluster.
        throw new Error(
            `a connection to the lab's ${this.#package.name} provider has not attached: engines reconnect after 30 minutes without traffic; run the command again`,
        );
    }

    attach(peer: string, engineAddress: string): void {
        const previous = this.#byPeer.get(peer);
        // The operating system reuses ports: this engine must not get the configuration of an earlier one.
        if (previous) closeSession(previous);
        const engine = new EngineConnection();
        engine.attach(engineAddress);
        this.#byPeer.set(peer, { engine, provider: this.#package.open(engine), cancelled: new AbortController() });
    }

    closeAll(): void {
        for (const session of this.#byPeer.values()) closeSession(session);
        this.#byPeer.clear();
    }
}

export function cancelSession({ provider, cancelled }: Session): void {
    cancelled.abort(new Error("cancelled"));
    provider.cancel?.();
}

function closeSession(session: Session): void {
    cancelSession(session);
    session.engine.close();
}
