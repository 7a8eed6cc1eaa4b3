import { createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";

/** A certificate, told by what is public in it. */
export const Certificate = z.strictObject({
    /** Common name; of a client's certificate also etcd's user. */
    subject: z.string(),
    /** Names and addresses for which a server may show it. */
    names: z.array(z.string()),
    fingerprint: z.string(),
    notBefore: z.iso.datetime(),
    notAfter: z.iso.datetime(),
    /** What it may be used for, of both sides of TLS. */
    uses: z.array(z.enum(["server", "client"])),
    /** Fingerprint of the CA that has signed it; null: none of those that it was held against. */
    signedBy: z.string().nullable(),
});

export type Certificate = z.infer<typeof Certificate>;

/** RFC 5280, 4.2.1.12. */
const USES = { "1.3.6.1.5.5.7.3.1": "server", "1.3.6.1.5.5.7.3.2": "client" } as const;

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Every certificate in a PEM text, which may be a bundle.
 *
 * @param authorities PEM of CAs, of which each may have signed it
 * @throws Error when one cannot be read
 */
export function certificatesIn(pem: string, authorities: readonly string[] = []): Certificate[] {
    const signers = authorities.flatMap((text) => text.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
    return (pem.match(BLOCK) ?? []).map((block) => {
        const certificate = new X509Certificate(block);
        const signer = signers.find((one) => certificate.verify(one.publicKey));
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

/** Whether a private key is that of the first certificate in `pem`. False, too, when either cannot be read. */
export function keyFits(pem: string, key: string): boolean {
    try {
        return new X509Certificate(pem).checkPrivateKey(createPrivateKey(key));
    } catch {
        return false;
    }
}

/** Whether a server that shows the certificate may go by this name, as TLS reads wildcards: for one label. */
export function covers(names: readonly string[], hostname: string): boolean {
    return names.some((name) => name === hostname || (name.startsWith("*.") && hostname.replace(/^[^.]+/, "*") === name));
}

/** Enough of the SHA-256 to tell two apart, as it is shown to people. */
function fingerprint({ fingerprint256 }: X509Certificate): string {
    return fingerprint256.replaceAll(":", "").slice(0, 16).toLowerCase();
}
