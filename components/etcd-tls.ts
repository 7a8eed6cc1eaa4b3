import type * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { type TlsLeaf, tlsLeaves } from "../core/cilium/tls-leaves.ts";
import { forcedSecret } from "./forced-secret.ts";

const HOURS_PER_DAY = 24;
const CA_DAYS = 3650;
const LEAF_DAYS = 365;
/** Days before expiry in which `up` (with refresh) renews a certificate. The old one stays valid meanwhile, so peers may follow later. */
const RENEWAL_DAYS = 90;

export interface EtcdTlsArgs {
    /** Cilium's name of the cluster. */
    clusterName: string;
}

interface Authority {
    certPem: pulumi.Output<string>;
    keyPem: pulumi.Output<string>;
}

/**
 * The cluster's CA and the four certificates of its clustermesh-apiserver, as Secrets in kube-system. ECDSA P-256. The CA's key never leaves the stack;
 * of the leaf certificates only `remote` does, which peers use to read this cluster's etcd.
 */
export class EtcdTls extends pulumi.ComponentResource {
    /** What a peer needs to read this cluster's etcd. Secret. */
    readonly client: pulumi.Output<{ ca: string; cert: string; key: string }>;
    /** When the first of the certificates expires, RFC 3339. */
    readonly expire: pulumi.Output<string>;
    readonly secrets: kubernetes.core.v1.Secret[];

    constructor(name: string, args: EtcdTlsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:EtcdTls", name, {}, opts);

        const ca = certificateAuthority(name, args.clusterName, this);
        const leaves = Object.entries(tlsLeaves(args.clusterName)).map(([role, leaf]) => ({ role, ...issue(name, role, leaf, ca, this) }));
        const remote = leaves.find(({ role }) => role === "remote");

        this.secrets = leaves.map(({ secret }) => secret);
        this.client = pulumi.secret(pulumi.output({ ca: ca.certPem, cert: remote?.certPem ?? "", key: remote?.keyPem ?? "" }));
        this.expire = pulumi
            .all(leaves.map(({ validityEndTime }) => validityEndTime))
            .apply((ends) => ends.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0] ?? "");
        this.registerOutputs({});
    }
}

function certificateAuthority(name: string, clusterName: string, parent: EtcdTls): Authority {
    const key = privateKey(name, "ca", parent);
    const cert = new tls.SelfSignedCert(
        `${name}-ca`,
        {
            privateKeyPem: key.privateKeyPem,
            subject: { commonName: `Cilium CA ${clusterName}` },
            isCaCertificate: true,
            setSubjectKeyId: true,
            allowedUses: ["cert_signing", "crl_signing", "digital_signature"],
            validityPeriodHours: CA_DAYS * HOURS_PER_DAY,
            // Never renew the CA automatically: peers trust a new CA only after the mesh stack has run. docs/operations.md has the steps.
            earlyRenewalHours: 0,
        },
        { parent },
    );
    return { certPem: cert.certPem, keyPem: key.privateKeyPem };
}

/** A leaf certificate and the Secret that holds it. */
function issue(name: string, role: string, leaf: TlsLeaf, ca: Authority, parent: EtcdTls) {
    const key = privateKey(name, role, parent);
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
            validityPeriodHours: LEAF_DAYS * HOURS_PER_DAY,
            earlyRenewalHours: RENEWAL_DAYS * HOURS_PER_DAY,
        },
        { parent },
    );
    const files = { "ca.crt": ca.certPem, "tls.crt": cert.certPem, "tls.key": key.privateKeyPem };
    const secret = forcedSecret(`${name}-${role}`, { secretName: leaf.secretName, type: "kubernetes.io/tls", files }, { parent });
    return { secret, certPem: cert.certPem, keyPem: key.privateKeyPem, validityEndTime: cert.validityEndTime };
}

function privateKey(name: string, role: string, parent: EtcdTls): tls.PrivateKey {
    return new tls.PrivateKey(
        `${name}-${role}`,
        { algorithm: "ECDSA", ecdsaCurve: "P256" },
        { parent, additionalSecretOutputs: ["privateKeyPem", "privateKeyPemPkcs8"] },
    );
}
