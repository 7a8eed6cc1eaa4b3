import { beforeAll, describe, expect, test } from "vitest";
import { certificatesIn, covers, keyFits } from "../../../core/cilium/certificates.ts";
import { makeTls } from "../../../packages/lab/providers/tls.ts";

/** A CA, or a leaf of one, as the program's own resources make them. */
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
    // Both CAs go by one name: signatures tell them apart, names do not.
    let [one, other, server, client]: { cert: string; key: string }[] = [];
    beforeAll(async () => {
        one = await ca("Cilium CA");
        other = await ca("Cilium CA");
        server = await leaf(
            one,
            "clustermesh-apiserver.kube-system.svc",
            "server_auth",
            ["clustermesh-apiserver.kube-system.svc", "*.mesh.cilium.io"],
            ["127.0.0.1"],
        );
        client = await leaf(other, "remote", "client_auth");
    });
    const pem = (made: { cert: string } | undefined) => made?.cert ?? "";

    test("are told by what is public in them, and by whose signature they bear", () => {
        const [authority] = certificatesIn(pem(one));
        expect(certificatesIn(pem(server), [pem(other), pem(one)])).toMatchObject([
            {
                subject: "clustermesh-apiserver.kube-system.svc",
                names: ["clustermesh-apiserver.kube-system.svc", "*.mesh.cilium.io", "127.0.0.1"],
                uses: ["server"],
                signedBy: authority?.fingerprint,
            },
        ]);
        expect(certificatesIn(pem(client), [pem(one)])).toMatchObject([{ subject: "remote", uses: ["client"], signedBy: null }]);
        const [told] = certificatesIn(pem(client));
        expect(Date.parse(told?.notAfter ?? "") - Date.parse(told?.notBefore ?? "")).toBe(86_400_000);
    });

    test("of a bundle each one, of a text without any none", () => {
        expect(certificatesIn(`# both\n${pem(one)}\n${pem(other)}`)).toHaveLength(2);
        expect(certificatesIn("")).toEqual([]);
        expect(() => certificatesIn("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")).toThrow();
    });

    test("fit their own key alone", () => {
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
