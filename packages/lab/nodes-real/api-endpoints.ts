import { ApiException, DiscoveryV1Api, type KubeConfig } from "@kubernetes/client-node";

const PLACE = { name: "kubernetes", namespace: "default" };

/**
 * Says where the `kubernetes` service leads: to the API server's interfaces in the VPC, as on EKS. The API server itself, which knows its loopback address
 * alone, is told to write nothing.
 */
export async function writeApiEndpoints(config: KubeConfig, addresses: readonly string[], port: number): Promise<void> {
    const discovery = config.makeApiClient(DiscoveryV1Api);
    const body = {
        metadata: { ...PLACE, labels: { "kubernetes.io/service-name": PLACE.name } },
        addressType: "IPv4",
        ports: [{ name: "https", port, protocol: "TCP" }],
        endpoints: [{ addresses: [...addresses], conditions: { ready: true } }],
    };
    await discovery.createNamespacedEndpointSlice({ namespace: PLACE.namespace, body }).catch(async (error) => {
        if (!(error instanceof ApiException && error.code === 409)) throw error;
        await discovery.replaceNamespacedEndpointSlice({ ...PLACE, body });
    });
}
