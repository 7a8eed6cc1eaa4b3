import { EtcdTls } from "../../components/etcd-tls.ts";
import { ofType, type Registered, run } from "./harness.ts";

/** Issues the certificates of a cluster's etcd. `files`: the contents of the Secrets that Cilium's pods mount, by Secret name. */
export async function issueCertificates(
    clusterName: string,
): Promise<{ resources: Registered[]; files: Record<string, Record<string, string>> }> {
    const { resources } = await run(async () => {
        const { client, expire } = new EtcdTls("etcd", { clusterName });
        return { client, expire };
    });
    const files = Object.fromEntries(
        ofType(resources, "kubernetes:core/v1:Secret").map(({ inputs }) => [
            (inputs.metadata as { name: string }).name,
            Object.fromEntries(
                Object.entries(inputs.data as Record<string, string>).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
            ),
        ]),
    );
    return { resources, files };
}
