import { interfaces } from "../../aws/ec2/tables.ts";
import { clusters } from "../../aws/eks/tables.ts";
import type { Scope } from "../../aws/scope.ts";
import { namespaceName, type Relay } from "./plan.ts";

/** Relays from the interfaces of each cluster's API server to the API server, which listens on this machine's loopback address. */
export function planRelays(scope: Scope, id: string): [string, Relay][] {
    return clusters
        .in(scope)
        .list()
        .flatMap(({ name, endpoint, own }) => {
            const server = URL.canParse(endpoint ?? "") ? new URL(endpoint ?? "") : undefined;
            // A cluster without a control plane in the lab has an endpoint that does not resolve.
            if (!server || !["127.0.0.1", "localhost"].includes(server.hostname)) return [];
            return own.interfaces.flatMap((interfaceId): [string, Relay][] => {
                const eni = interfaces.in(scope).get(interfaceId);
                if (!eni) return [];
                const relay = {
                    namespace: namespaceName(id, interfaceId),
                    listen: `${eni.PrivateIpAddress}:443`,
                    to: `127.0.0.1:${server.port || 443}`,
                };
                return [[`API server of ${name} at ${interfaceId}`, relay]];
            });
        });
}
