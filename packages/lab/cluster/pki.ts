import { randomBytes, webcrypto } from "node:crypto";
import { x509 } from "../x509.ts";

const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };
const VALID_MILLISECONDS = 10 * 365 * 86_400_000;
/** So that a new certificate is valid on a machine whose clock is late. */
const BACKDATED_MILLISECONDS = 3_600_000;

/** A certificate and its private key (PKCS 8), PEM. */
export interface Credential {
    certificate: string;
    key: string;
}

/** The holder of a certificate. */
export interface Holder {
    commonName: string;
    /** Kubernetes reads it as the user's group. */
    organization?: string;
    /** DNS names and IP addresses. Default: none, for a client-only certificate. */
    names?: readonly string[];
}

/** A certificate authority. Its private key stays in this process and is never written. */
export interface Authority {
    certificate: string;
    issue(holder: Holder): Promise<Credential>;
}

/** Creates a certificate authority with an ECDSA P-256 key. */
export async function createAuthority(commonName: string): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
    const root = await x509.X509CertificateGenerator.createSelfSigned({
        name: [{ CN: [commonName] }],
        serialNumber: serialNumber(),
        ...validity(),
        signingAlgorithm: SIGNING,
        keys,
        extensions: [
            new x509.BasicConstraintsExtension(true, undefined, true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
            await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        ],
    });
    return {
        certificate: root.toString("pem"),
        async issue({ commonName, organization, names = [] }) {
            const leafKeys = await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
            const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
            const leaf = await x509.X509CertificateGenerator.create({
                subject: [{ CN: [commonName] }, ...(organization ? [{ O: [organization] }] : [])],
                issuer: root.subject,
                serialNumber: serialNumber(),
                ...validity(),
                publicKey: leafKeys.publicKey,
                signingKey: keys.privateKey,
                signingAlgorithm: SIGNING,
                extensions: [
                    new x509.BasicConstraintsExtension(false, undefined, true),
                    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
                    new x509.ExtendedKeyUsageExtension(names.length > 0 ? [serverAuth, clientAuth] : [clientAuth]),
                    await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
                    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names.map(generalName))] : []),
                ],
            });
            return { certificate: leaf.toString("pem"), key: await privatePem(leafKeys.privateKey) };
        },
    };
}

/** Creates a key pair that signs and verifies ServiceAccount tokens. */
export async function createSigningKeys(): Promise<{ privateKey: string; publicKey: string }> {
    const { privateKey, publicKey } = await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
    const spki = await webcrypto.subtle.exportKey("spki", publicKey);
    return { privateKey: await privatePem(privateKey), publicKey: x509.PemConverter.encode(spki, "PUBLIC KEY") };
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
    return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

function generalName(value: string) {
    return { type: /^[\d.]+$|:/.test(value) ? ("ip" as const) : ("dns" as const), value };
}

function serialNumber(): string {
    // With its first bit set, the number would be negative, which Go's parser rejects.
    return `01${randomBytes(15).toString("hex")}`;
}

function validity() {
    const now = Date.now();
    return { notBefore: new Date(now - BACKDATED_MILLISECONDS), notAfter: new Date(now + VALID_MILLISECONDS) };
}
