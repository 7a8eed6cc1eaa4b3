import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { LOCAL_ETCD_HOSTNAME } from "../core/cilium/clustermesh-config.ts";

const HOURS_A_DAY = 24;
const CA_DAYS = 3650;
const LEAF_DAYS = 365;
/** Days before its end at which an `up` (with refresh) makes a certificate anew. The old one stays valid meanwhile, so peers may follow later. */
const RENEWAL_DAYS = 90;

/** What a certificate is for. */
interface Leaf {
    /** Of the Secret in which Cilium's chart looks for it. */
    secretName: string;
    /** Also etcd's user name, for clients. */
    commonName: string;
    use: "server_auth" | "client_auth";
    dnsNames?: string[];
    ipAddresses?: string[];
}

/** The leaves that Cilium 1.20 expects of cluster `name`, by role (Helm chart, clustermesh-apiserver/tls-*; etcd's users: pkg/kvstore/etcdinit). */
export function leaves(name: string) {
    return {
        server: {
            secretName: "clustermesh-apiserver-server-cert",
            commonName: LOCAL_ETCD_HOSTNAME,
            use: "server_auth",
            // Peers dial <name>.mesh.cilium.io, the cluster's own agents the Service, and the pod's other containers the loopback address.
            dnsNames: [LOCAL_ETCD_HOSTNAME, "*.mesh.cilium.io"],
            ipAddresses: ["127.0.0.1", "::1"],
        },
        admin: { secretName: "clustermesh-apiserver-admin-cert", commonName: `admin-${name}`, use: "client_auth" },
        // Cilium calls it by this one name in every cluster as long as each has a CA of its own (authMode migration).
        remote: { secretName: "clustermesh-apiserver-remote-cert", commonName: "remote", use: "client_auth" },
        local: { secretName: "clustermesh-apiserver-local-cert", commonName: `local-${name}`, use: "client_auth" },
    } as const satisfies Record<string, Leaf>;
}

export interface EtcdTlsArgs {
    /** Cilium's name of the cluster. */
    clusterName: string;
}

/**
 * The cluster's CA and the four certificates of its clustermesh-apiserver, as Secrets in kube-system. ECDSA P-256. The CA's key never leaves the stack;
 * of the leaves only `remote`, with which peers read this cluster's etcd, does.
 */
export class EtcdTls extends pulumi.ComponentResource {
    /** What a peer needs to read this cluster's etcd. Secret. */
    readonly client: pulumi.Output<{ ca: string; cert: string; key: string }>;
    /** When the first of the certificates ends, RFC 3339. */
    readonly expire: pulumi.Output<string>;
    readonly secrets: kubernetes.core.v1.Secret[];

    constructor(name: string, args: EtcdTlsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:EtcdTls", name, {}, opts);
        const parent = this;

        const ca = certificateAuthority();
        const made = Object.entries(leaves(args.clusterName)).map(([role, leaf]) => ({ role, ...issue(role, leaf) }));
        const remote = made.find(({ role }) => role === "remote");

        this.secrets = made.map(({ secret }) => secret);
        this.client = pulumi.secret(pulumi.output({ ca: ca.certPem, cert: remote?.certPem ?? "", key: remote?.keyPem ?? "" }));
        this.expire = pulumi
            .all(made.map(({ validityEndTime }) => validityEndTime))
            .apply((ends) => ends.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0] ?? "");
        this.registerOutputs({});

        function privateKey(role: string) {
            return new tls.PrivateKey(
                `${name}-${role}`,
                { algorithm: "ECDSA", ecdsaCurve: "P256" },
                { parent, additionalSecretOutputs: ["privateKeyPem", "privateKeyPemPkcs8"] },
            );
        }

        function certificateAuthority() {
            const key = privateKey("ca");
            const cert = new tls.SelfSignedCert(
                `${name}-ca`,
                {
                    privateKeyPem: key.privateKeyPem,
                    subject: { commonName: `Cilium CA ${args.clusterName}` },
                    isCaCertificate: true,
                    setSubjectKeyId: true,
                    allowedUses: ["cert_signing", "crl_signing", "digital_signature"],
                    validityPeriodHours: CA_DAYS * HOURS_A_DAY,
                    // A new CA is not known to the peers until the mesh stack has run: never by the by. docs/operations.md has the steps.
                    earlyRenewalHours: 0,
                },
                { parent },
            );
            return { certPem: cert.certPem, keyPem: key.privateKeyPem };
        }

        function issue(role: string, leaf: Leaf) {
            const key = privateKey(role);
            const { commonName, dnsNames, ipAddresses } = leaf;
            const request = new tls.CertRequest(
                `${name}-${role}`,
                { privateKeyPem: key.privateKeyPem, subject: { commonName }, dnsNames, ipAddresses },
                { parent },
            );
            const cert = new tls.LocallySignedCert(
                `${name}-${role}`,
                {
                    certRequestPem: request.certRequestPem,
                    caCertPem: ca.certPem,
                    caPrivateKeyPem: ca.keyPem,
                    allowedUses: ["digital_signature", leaf.use],
                    validityPeriodHours: LEAF_DAYS * HOURS_A_DAY,
                    earlyRenewalHours: RENEWAL_DAYS * HOURS_A_DAY,
                },
                { parent },
            );
            const base64 = (text: pulumi.Output<string>) => pulumi.secret(text.apply((plain) => Buffer.from(plain).toString("base64")));
            const secret = new kubernetes.core.v1.Secret(
                `${name}-${role}`,
                {
                    // The stack's alone: what somebody has changed by hand would otherwise be a conflict at the next `up`, rather than be put back.
                    metadata: { name: leaf.secretName, namespace: "kube-system", annotations: { "pulumi.com/patchForce": "true" } },
                    type: "kubernetes.io/tls",
                    data: { "ca.crt": base64(ca.certPem), "tls.crt": base64(cert.certPem), "tls.key": base64(key.privateKeyPem) },
                },
                { parent },
            );
            return { secret, certPem: cert.certPem, keyPem: key.privateKeyPem, validityEndTime: cert.validityEndTime };
        }
    }
}
