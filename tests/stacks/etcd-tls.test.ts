import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { beforeAll, describe, expect, test } from "vitest";
import { leaves } from "../../components/etcd-tls.ts";
import { etcdHostname } from "../../core/cilium/clustermesh-config.ts";
import { certificateUsages } from "../../packages/lab/x509.ts";
import { ofType, only, type Registered } from "./harness.ts";
import { issue } from "./issue.ts";

const SERVER = "clustermesh-apiserver-server-cert";
const REMOTE = "clustermesh-apiserver-remote-cert";

describe("the certificates of a cluster's etcd", () => {
    let resources: Registered[];
    let files: Record<string, Record<string, string>>;
    const cert = (secret: string) => new X509Certificate(files[secret]?.["tls.crt"] ?? "");
    const usages = (secret: string) => certificateUsages(files[secret]?.["tls.crt"] ?? "");
    beforeAll(async () => {
        ({ resources, files } = await issue("west"));
    });

    test("are those that Cilium 1.20 mounts, in the form that it wants", () => {
        expect(Object.keys(files).toSorted()).toEqual(
            ["admin", "local", "remote", "server"].map((role) => `clustermesh-apiserver-${role}-cert`),
        );
        for (const { inputs } of ofType(resources, "kubernetes:core/v1:Secret")) {
            // Forced: what somebody has changed by hand would otherwise be a conflict at the next `up`.
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
    ])("%s: CN %s, which is etcd's user, and usages", (secret, commonName, extended) => {
        expect(cert(secret).subject).toBe(`CN=${commonName}`);
        expect(usages(secret)).toEqual({ keyUsage: ["digitalSignature"], extendedKeyUsage: [extended] });
        expect(cert(secret).publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    });

    test("the server answers by every name under which it is called, and by no address of a peer", () => {
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

    test("each is signed by the cluster's CA, and is none itself", () => {
        const ca = new X509Certificate(files[SERVER]?.["ca.crt"] ?? "");
        expect(ca.ca).toBe(true);
        for (const [secret, { "ca.crt": caPem }] of Object.entries(files)) {
            expect(caPem).toBe(files[SERVER]?.["ca.crt"]);
            expect(cert(secret).verify(ca.publicKey), secret).toBe(true);
            expect(cert(secret).ca).toBe(false);
        }
    });

    test("leaves end after a year and are renewed 90 days before; the CA lasts ten and is never renewed by the by", () => {
        for (const { inputs } of ofType(resources, "tls:index/locallySignedCert:LocallySignedCert"))
            expect(inputs).toMatchObject({ validityPeriodHours: 8760, earlyRenewalHours: 2160 });
        expect(only(resources, "tls:index/selfSignedCert:SelfSignedCert").inputs).toMatchObject({
            validityPeriodHours: 87600,
            earlyRenewalHours: 0,
        });
    });

    test("the list of leaves and what is made of it agree", () => {
        const commonNames = ofType(resources, "tls:index/certRequest:CertRequest").map(
            ({ inputs }) => (inputs.subject as { commonName: string }).commonName,
        );
        expect(commonNames.toSorted()).toEqual(
            Object.values(leaves("west"))
                .map(({ commonName }) => commonName)
                .toSorted(),
        );
    });
});

describe("a TLS connection, as etcd and Cilium make it", () => {
    let west: Record<string, Record<string, string>>;
    let east: Record<string, Record<string, string>>;
    beforeAll(async () => {
        [west, east] = [(await issue("west")).files, (await issue("east")).files];
    });

    /** Connects to the listening etcd as a peer does. @returns the client's CN as the server sees it */
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
            // TLS 1.3 tells a client only after its handshake that the server did not want it: by closing.
            const closed = once(socket, "close").then(() => Promise.reject(new Error("the server closed the connection")));
            await Promise.race([once(socket, "data"), closed]);
            return await seen;
        } finally {
            socket.destroy();
        }
    }
    let listener: ReturnType<typeof createServer>;
    /** An etcd that shows `server` and, as etcd does with --client-cert-auth, trusts its CA alone. */
    async function against(server: Record<string, string>, use: () => Promise<void>) {
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

    test("works for a peer with the material that the cluster handed out, under its mesh name, as user remote", async () => {
        await against(west[SERVER] ?? {}, async () => {
            expect(await dial(west[REMOTE] ?? {}, "west.mesh.cilium.io")).toBe("remote");
        });
    });

    test("fails with another cluster's material, under another name, and with a server's certificate for a client", async () => {
        await against(west[SERVER] ?? {}, async () => {
            await expect(dial(east[REMOTE] ?? {}, "west.mesh.cilium.io")).rejects.toThrow();
            await expect(dial(west[REMOTE] ?? {}, "west.example.com")).rejects.toThrow(/altnames/);
            await expect(dial(west[SERVER] ?? {}, "west.mesh.cilium.io")).rejects.toThrow();
        });
    });
});
