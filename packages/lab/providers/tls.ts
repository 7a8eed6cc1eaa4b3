import { createHash } from "node:crypto";
import { certificateRequest, EXTENDED_USAGES, KEY_USAGES, locallySigned, selfSigned } from "./certificates.ts";
import { diffInputs } from "./diff.ts";
import { ALGORITHMS, CURVE_NAMES, type Curve, generate, privateKeyFiles, publicKey } from "./keys.ts";
import type { CheckFailure, Package, ResourceType } from "./provider.ts";
import { hasUnknowns, type Properties, UNKNOWN, Unknown, type Value } from "./values.ts";

const HOUR = 3_600_000;
const USES = [...Object.keys(KEY_USAGES), ...Object.keys(EXTENDED_USAGES)].toSorted();

interface TlsResource {
    required: readonly string[];
    defaults: Properties;
    /** Outputs that are unknown until the resource is created. */
    computed: readonly string[];
    secrets: readonly string[];
    create(inputs: Properties, now: Date): Promise<Properties & { id: string }>;
}

const CERTIFICATE_DEFAULTS = { earlyRenewalHours: 0, isCaCertificate: false, setSubjectKeyId: false };
const CERTIFICATE_OUTPUTS = ["certPem", "readyForRenewal", "validityStartTime", "validityEndTime"];

const RESOURCES: Record<string, TlsResource> = {
    "tls:index/privateKey:PrivateKey": {
        required: ["algorithm"],
        defaults: { ecdsaCurve: "P224", rsaBits: 2048 },
        computed: [
            "privateKeyPem",
            "privateKeyPemPkcs8",
            "privateKeyOpenssh",
            "publicKeyPem",
            "publicKeyOpenssh",
            "publicKeyFingerprintMd5",
            "publicKeyFingerprintSha256",
        ],
        secrets: ["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"],
        create: async (inputs) => {
            const key = generate(text(inputs, "algorithm"), {
                curve: text(inputs, "ecdsaCurve") as Curve,
                rsaBits: Number(inputs.rsaBits),
            });
            const { own, pkcs8 } = privateKeyFiles(key);
            const { spki, pem, openssh, md5, sha256 } = publicKey(key);
            return {
                id: createHash("sha1").update(spki).digest("hex"),
                privateKeyPem: own,
                privateKeyPemPkcs8: pkcs8,
                // Not implemented: nothing here uses OpenSSH's private key format.
                privateKeyOpenssh: "",
                publicKeyPem: pem,
                publicKeyOpenssh: openssh,
                publicKeyFingerprintMd5: md5,
                publicKeyFingerprintSha256: sha256,
            };
        },
    },
    "tls:index/selfSignedCert:SelfSignedCert": {
        required: ["privateKeyPem", "allowedUses", "validityPeriodHours"],
        defaults: { ...CERTIFICATE_DEFAULTS, setAuthorityKeyId: false },
        computed: [...CERTIFICATE_OUTPUTS, "keyAlgorithm"],
        secrets: ["privateKeyPem"],
        create: async (inputs, now) => {
            const { family, ...certificate } = await selfSigned(inputs as unknown as Parameters<typeof selfSigned>[0], now);
            return { ...certificateOutputs(certificate), keyAlgorithm: family };
        },
    },
    "tls:index/certRequest:CertRequest": {
        required: ["privateKeyPem"],
        defaults: {},
        computed: ["certRequestPem", "keyAlgorithm"],
        secrets: ["privateKeyPem"],
        create: async (inputs) => {
            const { id, pem, family } = await certificateRequest(inputs as unknown as Parameters<typeof certificateRequest>[0]);
            return { id, certRequestPem: pem, keyAlgorithm: family };
        },
    },
    "tls:index/locallySignedCert:LocallySignedCert": {
        required: ["certRequestPem", "caCertPem", "caPrivateKeyPem", "allowedUses", "validityPeriodHours"],
        defaults: CERTIFICATE_DEFAULTS,
        computed: [...CERTIFICATE_OUTPUTS, "caKeyAlgorithm"],
        secrets: ["caPrivateKeyPem"],
        create: async (inputs, now) => {
            const { family, ...certificate } = await locallySigned(inputs as unknown as Parameters<typeof locallySigned>[0], now);
            return { ...certificateOutputs(certificate), caKeyAlgorithm: family };
        },
    },
};

/** The lab's stand-in for @pulumi/tls 5.6: real keys and certificates, the same validation and replacement rules. */
export function tlsPackage(clock: () => Date = () => new Date()): Package {
    const types = Object.fromEntries(Object.entries(RESOURCES).map(([token, resource]) => [token, resourceType(resource, clock)]));
    return { name: "tls", version: "5.6.1", open: () => ({ resource: (type) => types[type] }) };
}

/**
 * Computes the outputs of a resource.
 *
 * @param type the resource's token
 * @throws Error for an unknown type, and for inputs that the provider rejects
 */
export async function makeTls(type: string, inputs: Properties, now = new Date()): Promise<Properties & { id: string }> {
    const resource = RESOURCES[type];
    if (!resource) throw new Error(`unknown resource type ${type}`);
    const [failure] = failures(resource, inputs);
    if (failure) throw new Error(failure.reason);
    const allInputs = withDefaults(resource, inputs);
    return { ...allInputs, ...(await resource.create(allInputs, now)) };
}

function resourceType(resource: TlsResource, clock: () => Date): ResourceType {
    return {
        secretOutputs: resource.secrets,
        check: ({ news }) => ({ inputs: news, failures: failures(resource, news) }),
        diff: ({ olds, oldInputs, news, ignoreChanges }) => {
            const [before, after] = [withDefaults(resource, oldInputs), withDefaults(resource, news)];
            const diff = diffInputs(before, after, { allBut: ["earlyRenewalHours"] }, ignoreChanges);
            if (!dueForRenewal({ ...olds, earlyRenewalHours: after.earlyRenewalHours }, clock())) return diff;
            const path = "readyForRenewal";
            return { changes: true, detailed: { ...diff.detailed, [path]: "update" }, replaces: [...diff.replaces, path] };
        },
        create: async ({ inputs, preview }) => {
            const allInputs = withDefaults(resource, inputs);
            const unknown = Object.fromEntries(resource.computed.map((key) => [key, UNKNOWN]));
            if (preview) return { id: "", outputs: { ...allInputs, ...unknown } };
            const { id, ...outputs } = await resource.create(allInputs, clock());
            return { id, outputs: { ...allInputs, ...outputs } };
        },
        // The resource exists only in the state; only time changes it.
        read: ({ id, olds, oldInputs }) => ({
            id,
            outputs: dueForRenewal(olds, clock()) ? { ...olds, readyForRenewal: true } : olds,
            inputs: oldInputs,
        }),
        update: ({ olds, inputs }) => ({ outputs: { ...olds, ...withDefaults(resource, inputs) } }),
    };
}

function withDefaults(resource: TlsResource, inputs: Properties): Properties {
    const definedInputs = Object.entries(inputs).filter(([, value]) => value !== undefined && value !== null);
    return { ...resource.defaults, ...Object.fromEntries(definedInputs) };
}

function failures(resource: TlsResource, inputs: Properties): CheckFailure[] {
    const missing = resource.required
        .filter((key) => inputs[key] === undefined || inputs[key] === null)
        .map((property) => ({
            property,
            reason: `Missing required argument. The argument "${snake(property)}" is required, but no definition was found.`,
        }));
    const oneOf = (property: string, value: Value | undefined, allowed: readonly string[]): CheckFailure[] =>
        value === undefined || value === null || value instanceof Unknown || allowed.includes(String(value))
            ? []
            : [
                  {
                      property,
                      reason: `Attribute ${snake(property)} value must be one of: [${allowed.map((name) => `"${name}"`).join(" ")}], got: "${value}"`,
                  },
              ];
    const atLeast = (property: string, limit: number): CheckFailure[] =>
        typeof inputs[property] === "number" && inputs[property] < limit
            ? [{ property, reason: `Attribute ${snake(property)} value must be at least ${limit}, got: ${inputs[property]}` }]
            : [];
    const uses = Array.isArray(inputs.allowedUses) ? inputs.allowedUses : [];
    return [
        ...missing,
        ...oneOf("algorithm", inputs.algorithm, ALGORITHMS),
        ...oneOf("ecdsaCurve", inputs.ecdsaCurve, CURVE_NAMES),
        ...uses.flatMap((use, i) => oneOf(`allowedUses[${i}]`, use, USES)),
        ...atLeast("validityPeriodHours", 0),
        ...atLeast("earlyRenewalHours", 0),
        ...atLeast("maxPathLength", -1),
    ];
}

function dueForRenewal(outputs: Properties, now: Date): boolean {
    const { validityEndTime, earlyRenewalHours } = outputs;
    if (typeof validityEndTime !== "string" || hasUnknowns(earlyRenewalHours)) return false;
    return Date.parse(validityEndTime) - Number(earlyRenewalHours ?? 0) * HOUR <= now.getTime();
}

function certificateOutputs({ id, pem, notBefore, notAfter }: { id: string; pem: string; notBefore: Date; notAfter: Date }) {
    return {
        id,
        certPem: pem,
        readyForRenewal: false,
        validityStartTime: notBefore.toISOString(),
        validityEndTime: notAfter.toISOString(),
    };
}

function snake(property: string): string {
    return property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function text(properties: Properties, key: string): string {
    const value = properties[key];
    return typeof value === "string" ? value : "";
}
