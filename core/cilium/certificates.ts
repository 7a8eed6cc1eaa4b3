import { createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";

/** The public contents of a certificate. */
export const Certificate = z.strictObject({
    /** Common name. For client certificates also etcd's user name. */
    subject: z.string(),
    /** Host names and addresses that it is valid for. */
    names: z.array(z.string()),
    fingerprint: z.string(),
    notBefore: z.iso.datetime(),
    notAfter: z.iso.datetime(),
    /** Extended key usages for TLS. */
    uses: z.array(z.enum(["server", "client"])),
    /** Fingerprint of the CA that signed it; null if none of the given CAs did. */
    signedBy: z.string().nullable(),
});

export type Certificate = z.infer<typeof Certificate>;

/** RFC 5280, 4.2.1.12. */
const USES = { "1.3.6.1.5.5.7.3.1": "server", "1.3.6.1.5.5.7.3.2": "client" } as const;

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Every certificate in a PEM text, which may be a bundle.
 *
 * @param authorities PEM of the CAs that may have signed them
 * @throws Error when a certificate cannot be parsed
 */
export function certificatesIn(pem: string, authorities: readonly string[] = []): Certificate[] {
    const signers = authorities.flatMap((text) => text.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
    return (pem.match(BLOCK) ?? []).map((block) => {
        const certificate = new X509Certificate(block);
        const signer = signers.find((authority) => certificate.verify(authority.publicKey));
        return {
            subject: /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? "",
            names: (certificate.subjectAltName ?? "").split(", ").flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? []),
            fingerprint: fingerprint(certificate),
            notBefore: certificate.validFromDate.toISOString(),
            notAfter: certificate.validToDate.toISOString(),
            uses: (certificate.keyUsage ?? []).flatMap((oid) => (oid in USES ? [USES[oid as keyof typeof USES]] : [])),
            signedBy: signer ? fingerprint(signer) : null,
        };
    });
}

/** Whether a private key belongs to the first certificate in `pem`. False if either cannot be parsed. */
export function keyFits(pem: string, key: string): boolean {
    try {
        return new X509Certificate(pem).checkPrivateKey(createPrivateKey(key));
    } catch {
        return false;
    }
}

/** Whether the names of a server certificate include this host name. As in TLS, a wildcard stands for one label. */
export function covers(names: readonly string[], hostname: string): boolean {
    return names.some((name) => name === hostname || (name.startsWith("*.") && hostname.replace(/^[^.]+/, "*") === name));
}

/** The start of the SHA-256 digest: enough for people to distinguish certificates. */
function fingerprint({ fingerprint256 }: X509Certificate): string {
    return fingerprint256.replaceAll(":", "").slice(0, 16).toLowerCase();
}
