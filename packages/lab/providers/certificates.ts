import { createHash, randomBytes } from "node:crypto";
import { x509 } from "../x509.ts";
import { type SigningKey, signingKey } from "./keys.ts";

const SUBJECT_ALT_NAME = "2.5.29.17";
const SUBJECT_KEY_ID = "2.5.29.14";
const HOUR = 3_600_000;

export const KEY_USAGES: Record<string, x509.KeyUsageFlags> = {
    digital_signature: x509.KeyUsageFlags.digitalSignature,
    content_commitment: x509.KeyUsageFlags.nonRepudiation,
    key_encipherment: x509.KeyUsageFlags.keyEncipherment,
    data_encipherment: x509.KeyUsageFlags.dataEncipherment,
    key_agreement: x509.KeyUsageFlags.keyAgreement,
    cert_signing: x509.KeyUsageFlags.keyCertSign,
    crl_signing: x509.KeyUsageFlags.cRLSign,
    encipher_only: x509.KeyUsageFlags.encipherOnly,
    decipher_only: x509.KeyUsageFlags.decipherOnly,
};

export const EXTENDED_USAGES: Record<string, string> = {
    any_extended: "2.5.29.37.0",
    server_auth: "1.3.6.1.5.5.7.3.1",
    client_auth: "1.3.6.1.5.5.7.3.2",
    code_signing: "1.3.6.1.5.5.7.3.3",
    email_protection: "1.3.6.1.5.5.7.3.4",
    ipsec_end_system: "1.3.6.1.5.5.7.3.5",
    ipsec_tunnel: "1.3.6.1.5.5.7.3.6",
    ipsec_user: "1.3.6.1.5.5.7.3.7",
    timestamping: "1.3.6.1.5.5.7.3.8",
    ocsp_signing: "1.3.6.1.5.5.7.3.9",
    microsoft_server_gated_crypto: "1.3.6.1.4.1.311.10.3.3",
    netscape_server_gated_crypto: "2.16.840.1.113730.4.1",
    microsoft_commercial_code_signing: "1.3.6.1.4.1.311.2.1.22",
    microsoft_kernel_code_signing: "1.3.6.1.4.1.311.61.1.1",
};

interface Subject {
    commonName?: string;
    organization?: string;
    organizationalUnit?: string;
    streetAddresses?: string[];
    locality?: string;
    province?: string;
    country?: string;
    postalCode?: string;
    serialNumber?: string;
    emailAddress?: string;
}

interface Names {
    dnsNames?: string[];
    ipAddresses?: string[];
    uris?: string[];
}

interface Terms {
    allowedUses: string[];
    validityPeriodHours: number;
    isCaCertificate?: boolean;
    maxPathLength?: number;
    setSubjectKeyId?: boolean;
}

export interface Certificate {
    /** The serial number in decimal. */
    id: string;
    pem: string;
    notBefore: Date;
    notAfter: Date;
}

export async function selfSigned(
    inputs: Terms & Names & { privateKeyPem: string; subject?: Subject; setAuthorityKeyId?: boolean },
    now: Date,
): Promise<Certificate & { family: SigningKey["family"] }> {
    const key = await signingKey(inputs.privateKeyPem);
    const { keyId } = await subjectKeyId(key.keys.publicKey);
    const name = distinguishedName(inputs.subject);
    const certificate = await sign(inputs, now, {
        subject: name,
        issuer: name,
        publicKey: key.keys.publicKey,
        signer: key,
        names: altNames(inputs),
        authorityKeyId: inputs.setAuthorityKeyId ? keyId : undefined,
    });
    return { ...certificate, family: key.family };
}

export async function certificateRequest(inputs: Names & { privateKeyPem: string; subject?: Subject }) {
    const key = await signingKey(inputs.privateKeyPem);
    const names = altNames(inputs);
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
        name: distinguishedName(inputs.subject),
        keys: key.keys,
        signingAlgorithm: key.algorithm,
        extensions: names ? [names] : [],
    });
    return { id: createHash("sha1").update(Buffer.from(request.rawData)).digest("hex"), pem: pem(request), family: key.family };
}

export async function locallySigned(
    inputs: Terms & { certRequestPem: string; caCertPem: string; caPrivateKeyPem: string },
    now: Date,
): Promise<Certificate & { family: SigningKey["family"] }> {
    const request = new x509.Pkcs10CertificateRequest(inputs.certRequestPem);
    const ca = new x509.X509Certificate(inputs.caCertPem);
    const signer = await signingKey(inputs.caPrivateKeyPem);
    if (!Buffer.from(ca.publicKey.rawData).equals(signer.spki))
        throw new Error("x509: provided PrivateKey doesn't match parent's PublicKey");
    const certificate = await sign(inputs, now, {
        subject: request.subjectName,
        issuer: ca.subjectName,
        publicKey: request.publicKey,
        signer,
        names: request.getExtension(SUBJECT_ALT_NAME) ?? undefined,
        authorityKeyId: ca.getExtension<x509.SubjectKeyIdentifierExtension>(SUBJECT_KEY_ID)?.keyId,
    });
    return { ...certificate, family: signer.family };
}

interface Parties {
    subject: x509.Name;
    issuer: x509.Name;
    publicKey: x509.PublicKeyType;
    signer: SigningKey;
    names: x509.Extension | undefined;
    authorityKeyId: string | undefined;
}

async function sign(terms: Terms, now: Date, { signer, names, authorityKeyId, ...parties }: Parties): Promise<Certificate> {
    const serial = randomBytes(16);
    const notAfter = new Date(now.getTime() + terms.validityPeriodHours * HOUR);
    const ca = terms.isCaCertificate === true;
    if (ca && parties.subject.toJSON().length === 0)
        throw new Error("Must contain at least one Distinguished Name when creating Certificate Authority (CA)");
    // The real provider is written in Go, where a path length of 0 means "not set", so it leaves out a limit of 0.
    const limit = ca && terms.maxPathLength !== undefined && terms.maxPathLength > 0 ? terms.maxPathLength : undefined;
    const certificate = await x509.X509CertificateGenerator.create({
        ...parties,
        serialNumber: serial.toString("hex"),
        notBefore: now,
        notAfter,
        signingKey: signer.keys.privateKey,
        signingAlgorithm: signer.algorithm,
        extensions: [
            ...usages(terms.allowedUses),
            new x509.BasicConstraintsExtension(ca, limit, true),
            ...(ca || terms.setSubjectKeyId ? [await subjectKeyId(parties.publicKey)] : []),
            ...(authorityKeyId ? [new x509.AuthorityKeyIdentifierExtension(authorityKeyId)] : []),
            ...(names ? [names] : []),
        ],
    });
    return { id: BigInt(`0x${serial.toString("hex")}`).toString(), pem: pem(certificate), notBefore: now, notAfter };
}

function usages(allowed: readonly string[]): x509.Extension[] {
    const flags = allowed.reduce((all, use) => all | (KEY_USAGES[use] ?? 0), 0);
    const extended = allowed.flatMap((use) => EXTENDED_USAGES[use] ?? []);
    return [
        ...(flags ? [new x509.KeyUsagesExtension(flags, true)] : []),
        ...(extended.length > 0 ? [new x509.ExtendedKeyUsageExtension(extended)] : []),
    ];
}

function subjectKeyId(key: x509.PublicKeyType): Promise<x509.SubjectKeyIdentifierExtension> {
    return x509.SubjectKeyIdentifierExtension.create(key);
}

function distinguishedName(subject: Subject = {}): x509.Name {
    const parts: [string, string | string[] | undefined][] = [
        ["C", subject.country],
        ["O", subject.organization],
        ["OU", subject.organizationalUnit],
        ["L", subject.locality],
        ["ST", subject.province],
        ["2.5.4.9", subject.streetAddresses],
        ["2.5.4.17", subject.postalCode],
        ["CN", subject.commonName],
        ["2.5.4.5", subject.serialNumber],
        ["E", subject.emailAddress],
    ];
    return new x509.Name(parts.flatMap(([type, value]) => [value ?? []].flat().map((part) => ({ [type]: [part] }))));
}

function altNames({ dnsNames = [], ipAddresses = [], uris = [] }: Names): x509.SubjectAlternativeNameExtension | undefined {
    const names: x509.JsonGeneralNames = [
        ...dnsNames.map((value) => ({ type: "dns" as const, value })),
        ...ipAddresses.map((value) => ({ type: "ip" as const, value })),
        ...uris.map((value) => ({ type: "url" as const, value })),
    ];
    return names.length > 0 ? new x509.SubjectAlternativeNameExtension(names) : undefined;
}

/** PEM with one trailing newline, as OpenSSL and Go write it. */
function pem(data: { toString(format: "pem"): string }): string {
    return `${data.toString("pem").trimEnd()}\n`;
}
