// @peculiar/x509 needs the Reflect metadata API before it loads.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";

export { x509 };

/** What a certificate allows its key to be used for (RFC 5280, 4.2.1.3 and 4.2.1.12). */
export interface CertificateUsages {
    /** Names of RFC 5280, such as `digitalSignature`. */
    keyUsage: string[];
    /** Names such as `serverAuth`; the object identifier for a usage without a name. */
    extendedKeyUsage: string[];
}

/** Reads the usages of a PEM certificate; empty lists for missing extensions. Node's own `X509Certificate` does not show the key usage. */
export function certificateUsages(pem: string): CertificateUsages {
    const certificate = new x509.X509Certificate(pem);
    const flags = certificate.getExtension<x509.KeyUsagesExtension>(KEY_USAGE)?.usages ?? 0;
    const identifiers = certificate.getExtension<x509.ExtendedKeyUsageExtension>(EXTENDED_KEY_USAGE)?.usages ?? [];
    const names = new Map(Object.entries(x509.ExtendedKeyUsage).map(([name, identifier]) => [String(identifier), name]));
    return {
        keyUsage: Object.entries(x509.KeyUsageFlags).flatMap(([name, bit]) =>
            typeof bit === "number" && (flags & bit) !== 0 ? [name] : [],
        ),
        extendedKeyUsage: identifiers.map((identifier) => names.get(String(identifier)) ?? String(identifier)),
    };
}
