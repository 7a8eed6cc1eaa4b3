import { ApiException, DiscoveryV1Api, type KubeConfig } from "@kubernetes/client-node";

const KUBERNETES_SERVICE = { name: "kubernetes", namespace: "default" };

/**
 * Writes the endpoints of the `kubernetes` service: the API server's interfaces in the VPC, as on EKS.
 *
 * The API server knows only its loopback address, so it is configured to write no endpoints itself.
 */
export async function writeApiEndpoints(config: KubeConfig, addresses: readonly string[], port: number): Promise<void> {
    const discovery = config.makeApiClient(DiscoveryV1Api);
    const { name, namespace } = KUBERNETES_SERVICE;
    const body = {
        metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
        addressType: "IPv4",
        ports: [{ name: "https", port, protocol: "TCP" }],
        endpoints: [{ addresses: [...addresses], conditions: { ready: true } }],
    };
    await discovery.createNamespacedEndpointSlice({ namespace, body }).catch(async (error) => {
        if (!(error instanceof ApiException && error.code === 409)) throw error;
        await discovery.replaceNamespacedEndpointSlice({ name, namespace, body });
    });
}
