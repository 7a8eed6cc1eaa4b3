import "reflect-metadata";
import { createPrivateKey, generateKeyPairSync, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const SIGNING = { name: "ECDSA", hash: "SHA-256" };
const CURVE = { name: "ECDSA", namedCurve: "P-256" };

const SUBJECT_ALT_NAME = "2.5.29.17";

const KEY_USAGES: Record<string, x509.KeyUsageFlags> = {
    digital_signature: x509.KeyUsageFlags.digitalSignature,
    key_encipherment: x509.KeyUsageFlags.keyEncipherment,
    cert_signing: x509.KeyUsageFlags.keyCertSign,
    crl_signing: x509.KeyUsageFlags.cRLSign,
};

const EXTENDED_USAGES: Record<string, x509.ExtendedKeyUsage> = {
    server_auth: x509.ExtendedKeyUsage.serverAuth,
    client_auth: x509.ExtendedKeyUsage.clientAuth,
};

/** Makes what @pulumi/tls would make of these inputs, for real: keys, requests and certificates that can be checked and connected with. */
export async function mockTls(type: string, inputs: Record<string, unknown>): Promise<Record<string, unknown>> {
    switch (type) {
        case "tls:index/privateKey:PrivateKey": {
            if (inputs.algorithm !== "ECDSA" || inputs.ecdsaCurve !== "P256")
                throw new Error(`key ${inputs.algorithm}/${inputs.ecdsaCurve} is not mocked`);
            const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
            return { privateKeyPem: privateKey.export({ type: "sec1", format: "pem" }) };
        }
        case "tls:index/selfSignedCert:SelfSignedCert": {
            const keys = await keyPair(inputs.privateKeyPem);
            const cert = await x509.X509CertificateGenerator.createSelfSigned({
                name: subject(inputs),
                ...validity(inputs),
                signingAlgorithm: SIGNING,
                keys,
                extensions: [...usages(inputs), new x509.BasicConstraintsExtension(inputs.isCaCertificate === true, undefined, true)],
            });
            return { certPem: cert.toString("pem"), validityEndTime: cert.notAfter.toISOString() };
        }
        case "tls:index/certRequest:CertRequest": {
            const names: x509.JsonGeneralNames = [
                ...((inputs.dnsNames as string[] | undefined) ?? []).map((value) => ({ type: "dns" as const, value })),
                ...((inputs.ipAddresses as string[] | undefined) ?? []).map((value) => ({ type: "ip" as const, value })),
            ];
            const request = await x509.Pkcs10CertificateRequestGenerator.create({
                name: subject(inputs),
                keys: await keyPair(inputs.privateKeyPem),
                signingAlgorithm: SIGNING,
                extensions: names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : [],
            });
            return { certRequestPem: request.toString("pem") };
        }
        case "tls:index/locallySignedCert:LocallySignedCert": {
            const request = new x509.Pkcs10CertificateRequest(String(inputs.certRequestPem));
            const names = request.getExtension(SUBJECT_ALT_NAME);
            const cert = await x509.X509CertificateGenerator.create({
                subject: request.subject,
                issuer: new x509.X509Certificate(String(inputs.caCertPem)).subject,
                publicKey: request.publicKey,
                signingKey: (await keyPair(inputs.caPrivateKeyPem)).privateKey,
                signingAlgorithm: SIGNING,
                ...validity(inputs),
                extensions: [...usages(inputs), ...(names ? [names] : [])],
            });
            return { certPem: cert.toString("pem"), validityEndTime: cert.notAfter.toISOString() };
        }
        default:
            throw new Error(`unmocked resource ${type}`);
    }
}

async function keyPair(pem: unknown): Promise<webcrypto.CryptoKeyPair> {
    const der = createPrivateKey(String(pem)).export({ type: "pkcs8", format: "der" });
    const privateKey = await webcrypto.subtle.importKey("pkcs8", der, CURVE, true, ["sign"]);
    const { d: _, key_ops: __, ...jwk } = await webcrypto.subtle.exportKey("jwk", privateKey);
    return { privateKey, publicKey: await webcrypto.subtle.importKey("jwk", jwk, CURVE, true, ["verify"]) };
}

function subject(inputs: Record<string, unknown>): string {
    return `CN=${(inputs.subject as { commonName: string }).commonName}`;
}

function validity(inputs: Record<string, unknown>) {
    const notBefore = new Date();
    return { notBefore, notAfter: new Date(notBefore.getTime() + Number(inputs.validityPeriodHours) * 3_600_000) };
}

function usages(inputs: Record<string, unknown>): x509.Extension[] {
    const allowed = inputs.allowedUses as string[];
    const flags = allowed.reduce((all, use) => all | (KEY_USAGES[use] ?? 0), 0);
    const extended = allowed.flatMap((use) => EXTENDED_USAGES[use] ?? []);
    const unknown = allowed.filter((use) => !(use in KEY_USAGES) && !(use in EXTENDED_USAGES));
    // As the provider does: it refuses a use that it does not know, such as certSigning in camel case.
    if (unknown.length > 0) throw new Error(`unknown use ${unknown.join(", ")}`);
    return [new x509.KeyUsagesExtension(flags, true), ...(extended.length > 0 ? [new x509.ExtendedKeyUsageExtension(extended)] : [])];
}
