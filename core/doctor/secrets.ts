import { certificatesIn, keyFits } from "../cilium/certificates.ts";
import { MOUNT_PATH, parseClustermesh } from "../cilium/clustermesh-config.ts";
import { explain } from "../text/explain.ts";
import type { MaterialEvidence, PeersEvidence } from "./evidence.ts";

/** The peers in the Secret `cilium-clustermesh` or `cilium-kvstoremesh`. Of keys only whether they belong to their certificates. */
export function readPeers(files: Record<string, string>, self: string, authorities: readonly string[]): PeersEvidence {
    const file = (path: string) => files[path.slice(MOUNT_PATH.length + 1)] ?? "";
    try {
        const peers = [...parseClustermesh(files, self)].map(([name, { endpoints, hostAliases, caFile, certFile, keyFile }]) => {
            const [ca, cert] = [file(caFile), file(certFile)];
            const [client = null] = certificatesIn(cert, [...authorities, ca]);
            return [
                name,
                { endpoints, aliases: hostAliases, ca: certificatesIn(ca, [ca]), client, keyFits: keyFits(cert, file(keyFile)) },
            ] as const;
        });
        return { peers: Object.fromEntries(peers) };
    } catch (error) {
        return { refused: explain(error), peers: {} };
    }
}

/**
 * The certificate in a Secret of clustermesh-apiserver.
 *
 * @throws Error when the Secret has no certificate
 */
export function readMaterial(files: Record<string, string>, authorities: readonly string[]): MaterialEvidence {
    const { "ca.crt": ca = "", "tls.crt": cert = "", "tls.key": key = "" } = files;
    const [certificate] = certificatesIn(cert, [...authorities, ca]);
    if (!certificate) throw new Error("tls.crt contains no certificate");
    return { certificate, ca: certificatesIn(ca, [ca]), keyFits: keyFits(cert, key) };
}
