import { createPublicKey, X509Certificate } from "node:crypto";
import * as tls from "@pulumi/tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Served, serve } from "../../providers/server.ts";
import { makeTls, tlsPackage } from "../../providers/tls.ts";
import { changes, type Lab, noEngine, openLab, resources } from "./harness.ts";

const DAY = 24 * 3_600_000;

describe.skipIf(noEngine)("tls resources, managed by the real engine", () => {
    let now = new Date();
    let commonName = "server";
    let earlyRenewalHours = 24;
    let served: Served;
    let lab: Lab;

    async function program() {
        const ca = new tls.PrivateKey("ca", { algorithm: "ECDSA", ecdsaCurve: "P256" });
        const caCert = new tls.SelfSignedCert("ca", {
            privateKeyPem: ca.privateKeyPem,
            subject: { commonName: "CA" },
            isCaCertificate: true,
            allowedUses: ["cert_signing", "crl_signing"],
            validityPeriodHours: 24 * 3650,
        });
        const key = new tls.PrivateKey("leaf", { algorithm: "ECDSA", ecdsaCurve: "P256" });
        const request = new tls.CertRequest("leaf", {
            privateKeyPem: key.privateKeyPem,
            subject: { commonName },
            dnsNames: ["*.mesh.cilium.io"],
            ipAddresses: ["127.0.0.1", "::1"],
        });
        const cert = new tls.LocallySignedCert("leaf", {
            certRequestPem: request.certRequestPem,
            caCertPem: caCert.certPem,
            caPrivateKeyPem: ca.privateKeyPem,
            allowedUses: ["digital_signature", "server_auth"],
            validityPeriodHours: 24 * 90,
            earlyRenewalHours,
        });
        return { ca: caCert.certPem, cert: cert.certPem, key: key.privateKeyPem, end: cert.validityEndTime };
    }

    beforeAll(async () => {
        served = await serve(tlsPackage(() => now));
        lab = await openLab([served], program);
    });
    afterAll(async () => {
        await lab.close();
        await served.close();
    });

    test("preview creates nothing", async () => {
        const { changeSummary } = await lab.stack.preview({ onOutput: lab.onOutput });
        expect(changeSummary).toEqual({ create: 6 });
    });

    test("up issues certificates that verify, and private keys are secret", async () => {
        const { outputs } = await lab.stack.up({ onOutput: lab.onOutput });
        const [ca, cert] = [new X509Certificate(outputs.ca?.value), new X509Certificate(outputs.cert?.value)];
        expect(cert.verify(ca.publicKey)).toBe(true);
        expect(cert.checkIssued(ca)).toBe(true);
        expect(cert.subjectAltName).toBe("DNS:*.mesh.cilium.io, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
        expect(cert.publicKey.equals(createPublicKey(outputs.key?.value))).toBe(true);
        expect(outputs.key?.secret).toBe(true);
        expect(outputs.cert?.secret).toBe(false);
    });

    test("preview, up and refresh then change nothing", async () => {
        expect((await lab.stack.preview()).changeSummary).toEqual({ same: 6 });
        expect(changes((await lab.stack.up()).summary.resourceChanges)).toEqual({});
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({});
    });

    test("the state contains no unencrypted private key", () => {
        const state = lab.state();
        expect(state).not.toMatch(/PRIVATE KEY/);
        expect(state).toMatch(/BEGIN CERTIFICATE/);
    });

    test("changed inputs replace the resource and its dependents", async () => {
        commonName = "other";
        expect(changes((await lab.stack.preview()).changeSummary)).toEqual({ replace: 2 });
        expect(changes((await lab.stack.up()).summary.resourceChanges)).toEqual({ replace: 2 });
    });

    test("a change of earlyRenewalHours alone is an update", async () => {
        earlyRenewalHours = 48;
        expect(changes((await lab.stack.up()).summary.resourceChanges)).toEqual({ update: 1 });
    });

    test("replaces a certificate within its early renewal period, not before", async () => {
        now = new Date(now.getTime() + 87 * DAY);
        expect(changes((await lab.stack.up()).summary.resourceChanges)).toEqual({});
        now = new Date(now.getTime() + 2 * DAY);
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({ update: 1 });
        expect((await resources(lab.stack)).get("tls:index/locallySignedCert:LocallySignedCert leaf")?.outputs?.readyForRenewal).toBe(true);
        const { outputs, summary } = await lab.stack.up();
        expect(changes(summary.resourceChanges)).toEqual({ replace: 1 });
        expect(Date.parse(outputs.end?.value)).toBeGreaterThan(now.getTime() + 89 * DAY);
    });

    test("rejects an unknown allowed use before creating anything", async () => {
        lab.run(async () => {
            new tls.SelfSignedCert("bad", { privateKeyPem: "x", allowedUses: ["certSigning"], validityPeriodHours: 1 });
        });
        await expect(lab.stack.preview()).rejects.toThrow(/allowedUses\[0\].*value must be one of.*got: "certSigning"/);
    });

    test("destroy leaves no resource in the state", async () => {
        await lab.destroy();
        expect((await resources(lab.stack)).size).toBe(0);
    });
});

describe("tls", () => {
    test.each([
        ["RSA", { rsaBits: 2048 }, /^-----BEGIN RSA PRIVATE KEY/, /^ssh-rsa /],
        ["ECDSA", { ecdsaCurve: "P384" }, /^-----BEGIN EC PRIVATE KEY/, /^ecdsa-sha2-nistp384 /],
        ["ECDSA", {}, /^-----BEGIN EC PRIVATE KEY/, /^$/],
        ["ED25519", {}, /^-----BEGIN PRIVATE KEY/, /^ssh-ed25519 /],
    ])("%s %o", async (algorithm, options, pem, ssh) => {
        const key = await makeTls("tls:index/privateKey:PrivateKey", { algorithm, ...options });
        expect(key.privateKeyPem).toMatch(pem);
        expect(key.publicKeyOpenssh).toMatch(ssh);
        expect(createPublicKey(String(key.privateKeyPem)).equals(createPublicKey(String(key.publicKeyPem)))).toBe(true);
    });

    test("rejects a CA key that does not match the CA certificate", async () => {
        const key = async () =>
            String((await makeTls("tls:index/privateKey:PrivateKey", { algorithm: "ECDSA", ecdsaCurve: "P256" })).privateKeyPem);
        const [privateKeyPem, other] = [await key(), await key()];
        const terms = { allowedUses: ["cert_signing"], validityPeriodHours: 1 };
        const ca = await makeTls("tls:index/selfSignedCert:SelfSignedCert", {
            privateKeyPem,
            ...terms,
            isCaCertificate: true,
            subject: { commonName: "CA" },
        });
        const request = await makeTls("tls:index/certRequest:CertRequest", { privateKeyPem: other, subject: { commonName: "x" } });
        const leaf = { certRequestPem: String(request.certRequestPem), caCertPem: String(ca.certPem), caPrivateKeyPem: other, ...terms };
        await expect(makeTls("tls:index/locallySignedCert:LocallySignedCert", leaf)).rejects.toThrow("doesn't match parent's PublicKey");
    });
});
