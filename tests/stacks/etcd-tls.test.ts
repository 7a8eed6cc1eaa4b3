import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { beforeAll, describe, expect, test } from "vitest";
import { etcdHostname } from "../../core/cilium/clustermesh-config.ts";
import { tlsLeaves } from "../../core/cilium/tls-leaves.ts";
import { certificateUsages } from "../../packages/lab/x509.ts";
import { ofType, only, type Registered } from "./harness.ts";
import { issueCertificates } from "./issue.ts";

const SERVER = "clustermesh-apiserver-server-cert";
const REMOTE = "clustermesh-apiserver-remote-cert";

describe("the certificates of a cluster's etcd", () => {
    let resources: Registered[];
    let files: Record<string, Record<string, string>>;
    const cert = (secret: string) => new X509Certificate(files[secret]?.["tls.crt"] ?? "");
    const usages = (secret: string) => certificateUsages(files[secret]?.["tls.crt"] ?? "");
    beforeAll(async () => {
        ({ resources, files } = await issueCertificates("west"));
    });

    test("are the Secrets that Cilium 1.20 mounts, in its format", () => {
        expect(Object.keys(files).toSorted()).toEqual(
            ["admin", "local", "remote", "server"].map((role) => `clustermesh-apiserver-${role}-cert`),
        );
        for (const { inputs } of ofType(resources, "kubernetes:core/v1:Secret")) {
            // Without patchForce a manual change would be a conflict at the next `up`.
            const metadata = { namespace: "kube-system", annotations: { "pulumi.com/patchForce": "true" } };
            expect(inputs).toMatchObject({ type: "kubernetes.io/tls", metadata });
            expect(Object.keys(inputs.data as object).toSorted()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
        }
    });

    test.each([
        [SERVER, "clustermesh-apiserver.kube-system.svc", "serverAuth"],
        ["clustermesh-apiserver-admin-cert", "admin-west", "clientAuth"],
        ["clustermesh-apiserver-local-cert", "local-west", "clientAuth"],
        [REMOTE, "remote", "clientAuth"],
    ])("%s has CN %s, which is etcd's user, and the right key usages", (secret, commonName, extended) => {
        expect(cert(secret).subject).toBe(`CN=${commonName}`);
        expect(usages(secret)).toEqual({ keyUsage: ["digitalSignature"], extendedKeyUsage: [extended] });
        expect(cert(secret).publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    });

    test("the server certificate covers every name that clients use, and no address of a peer", () => {
        expect(cert(SERVER).subjectAltName?.split(", ")).toEqual([
            "DNS:clustermesh-apiserver.kube-system.svc",
            "DNS:*.mesh.cilium.io",
            "IP Address:127.0.0.1",
            "IP Address:0:0:0:0:0:0:0:1",
        ]);
        expect(cert(SERVER).checkHost(etcdHostname("west"))).toBeTruthy();
        for (const client of ["admin", "local", "remote"])
            expect(cert(`clustermesh-apiserver-${client}-cert`).subjectAltName).toBeUndefined();
    });

    test("leaf certificates are signed by the cluster's CA and are not CAs", () => {
        const ca = new X509Certificate(files[SERVER]?.["ca.crt"] ?? "");
        expect(ca.ca).toBe(true);
        for (const [secret, { "ca.crt": caPem }] of Object.entries(files)) {
            expect(caPem).toBe(files[SERVER]?.["ca.crt"]);
            expect(cert(secret).verify(ca.publicKey), secret).toBe(true);
            expect(cert(secret).ca).toBe(false);
        }
    });

    test("leaf certificates are valid for a year and renewed 90 days before; the CA is valid for ten years and never renewed automatically", () => {
        for (const { inputs } of ofType(resources, "tls:index/locallySignedCert:LocallySignedCert"))
            expect(inputs).toMatchObject({ validityPeriodHours: 8760, earlyRenewalHours: 2160 });
        expect(only(resources, "tls:index/selfSignedCert:SelfSignedCert").inputs).toMatchObject({
            validityPeriodHours: 87600,
            earlyRenewalHours: 0,
        });
    });

    test("every leaf of the table becomes a certificate request", () => {
        const commonNames = ofType(resources, "tls:index/certRequest:CertRequest").map(
            ({ inputs }) => (inputs.subject as { commonName: string }).commonName,
        );
        expect(commonNames.toSorted()).toEqual(
            Object.values(tlsLeaves("west"))
                .map(({ commonName }) => commonName)
                .toSorted(),
        );
    });
});

describe("a TLS connection between Cilium and etcd", () => {
    let west: Record<string, Record<string, string>>;
    let east: Record<string, Record<string, string>>;
    beforeAll(async () => {
        [west, east] = [(await issueCertificates("west")).files, (await issueCertificates("east")).files];
    });

    /**
     * Connects to the listening etcd as a peer does.
     *
     * @returns the client's CN that the server sees
     */
    async function dial(client: Record<string, string>, servername: string): Promise<string> {
        const seen = new Promise<string>((resolve) => {
            listener.on("secureConnection", (socket) => {
                resolve(String(socket.getPeerCertificate().subject.CN));
                socket.end("ok");
            });
        });
        const socket = connect({
            port: (listener.address() as AddressInfo).port,
            host: "127.0.0.1",
            servername,
            ca: client["ca.crt"],
            cert: client["tls.crt"],
            key: client["tls.key"],
        });
        try {
            // With TLS 1.3 a client learns only after its handshake that the server refused it: the server closes the connection.
            const closed = once(socket, "close").then(() => Promise.reject(new Error("the server closed the connection")));
            await Promise.race([once(socket, "data"), closed]);
            return await seen;
        } finally {
            socket.destroy();
        }
    }
    let listener: ReturnType<typeof createServer>;
    /** Runs a server with certificate `server` that, like etcd with --client-cert-auth, trusts only its own CA. */
    async function withServer(server: Record<string, string>, use: () => Promise<void>) {
        listener = createServer({
            cert: server["tls.crt"],
            key: server["tls.key"],
            ca: server["ca.crt"],
            requestCert: true,
            rejectUnauthorized: true,
        });
        listener.on("tlsClientError", () => {});
        listener.listen(0, "127.0.0.1");
        await once(listener, "listening");
        await use().finally(() => listener.close());
    }

    test("succeeds for a peer with the published client certificate and the mesh host name, as user remote", async () => {
        await withServer(west[SERVER] ?? {}, async () => {
            expect(await dial(west[REMOTE] ?? {}, "west.mesh.cilium.io")).toBe("remote");
        });
    });

    test("fails with another cluster's certificate, with another host name, and with a server certificate as client", async () => {
        await withServer(west[SERVER] ?? {}, async () => {
            await expect(dial(east[REMOTE] ?? {}, "west.mesh.cilium.io")).rejects.toThrow();
            await expect(dial(west[REMOTE] ?? {}, "west.example.com")).rejects.toThrow(/altnames/);
            await expect(dial(west[SERVER] ?? {}, "west.mesh.cilium.io")).rejects.toThrow();
        });
    });
});
