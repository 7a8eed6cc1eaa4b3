import { beforeAll, describe, expect, test } from "vitest";
import { certificatesIn, covers, keyFits } from "../../../core/cilium/certificates.ts";
import { makeTls } from "../../../packages/lab/providers/tls.ts";

/** A CA, created with the same resources as the program's. */
async function ca(commonName: string) {
    const { privateKeyPem } = await makeTls("tls:index/privateKey:PrivateKey", { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const { certPem } = await makeTls("tls:index/selfSignedCert:SelfSignedCert", {
        privateKeyPem,
        subject: { commonName },
        isCaCertificate: true,
        setSubjectKeyId: true,
        allowedUses: ["cert_signing"],
        validityPeriodHours: 24,
    });
    return { cert: String(certPem), key: String(privateKeyPem) };
}

async function leaf(
    signer: { cert: string; key: string },
    commonName: string,
    use: string,
    dnsNames: string[] = [],
    ipAddresses: string[] = [],
) {
    const { privateKeyPem } = await makeTls("tls:index/privateKey:PrivateKey", { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const request = await makeTls("tls:index/certRequest:CertRequest", { privateKeyPem, subject: { commonName }, dnsNames, ipAddresses });
    const { certPem } = await makeTls("tls:index/locallySignedCert:LocallySignedCert", {
        certRequestPem: request.certRequestPem,
        caCertPem: signer.cert,
        caPrivateKeyPem: signer.key,
        allowedUses: ["digital_signature", use],
        validityPeriodHours: 24,
    });
    return { cert: String(certPem), key: String(privateKeyPem) };
}

describe("certificates", () => {
    // Both CAs have the same name: only signatures distinguish them.
    let [ca1, ca2, server, client]: { cert: string; key: string }[] = [];
    beforeAll(async () => {
        ca1 = await ca("Cilium CA");
        ca2 = await ca("Cilium CA");
        server = await leaf(
            ca1,
            "clustermesh-apiserver.kube-system.svc",
            "server_auth",
            ["clustermesh-apiserver.kube-system.svc", "*.mesh.cilium.io"],
            ["127.0.0.1"],
        );
        client = await leaf(ca2, "remote", "client_auth");
    });
    const pem = (pair: { cert: string } | undefined) => pair?.cert ?? "";

    test("are parsed with their public contents and their signer", () => {
        const [authority] = certificatesIn(pem(ca1));
        expect(certificatesIn(pem(server), [pem(ca2), pem(ca1)])).toMatchObject([
            {
                subject: "clustermesh-apiserver.kube-system.svc",
                names: ["clustermesh-apiserver.kube-system.svc", "*.mesh.cilium.io", "127.0.0.1"],
                uses: ["server"],
                signedBy: authority?.fingerprint,
            },
        ]);
        expect(certificatesIn(pem(client), [pem(ca1)])).toMatchObject([{ subject: "remote", uses: ["client"], signedBy: null }]);
        const [parsed] = certificatesIn(pem(client));
        expect(Date.parse(parsed?.notAfter ?? "") - Date.parse(parsed?.notBefore ?? "")).toBe(86_400_000);
    });

    test("are all found in a bundle, and none in other text", () => {
        expect(certificatesIn(`# both\n${pem(ca1)}\n${pem(ca2)}`)).toHaveLength(2);
        expect(certificatesIn("")).toEqual([]);
        expect(() => certificatesIn("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")).toThrow();
    });

    test("match only their own key", () => {
        expect(keyFits(pem(server), server?.key ?? "")).toBe(true);
        expect(keyFits(pem(server), client?.key ?? "")).toBe(false);
        expect(keyFits(pem(server), "no key")).toBe(false);
        expect(keyFits("", server?.key ?? "")).toBe(false);
    });

    test.each([
        ["c1.mesh.cilium.io", true],
        ["a.c1.mesh.cilium.io", false],
        ["mesh.cilium.io", false],
        ["clustermesh-apiserver.kube-system.svc", true],
        ["c1.mesh.cilium.com", false],
    ])("cover %s: %s", (hostname, covered) => {
        expect(covers(certificatesIn(pem(server))[0]?.names ?? [], hostname)).toBe(covered);
    });
});
