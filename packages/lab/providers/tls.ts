import { createHash } from "node:crypto";
import { certificateRequest, EXTENDED_USAGES, KEY_USAGES, locallySigned, selfSigned } from "./certificates.ts";
import { diffInputs } from "./diff.ts";
import { ALGORITHMS, CURVE_NAMES, type Curve, generate, privateKeyFiles, publicKey } from "./keys.ts";
import type { CheckFailure, Package, ResourceType } from "./provider.ts";
import { hasUnknowns, type Properties, UNKNOWN, Unknown, type Value } from "./values.ts";

const HOUR = 3_600_000;
const USES = [...Object.keys(KEY_USAGES), ...Object.keys(EXTENDED_USAGES)].toSorted();

interface Kind {
    required: readonly string[];
    defaults: Properties;
    /** What an output is until it is made. */
    computed: readonly string[];
    secrets: readonly string[];
    make(inputs: Properties, now: Date): Promise<Properties & { id: string }>;
}

const CERTIFICATE_DEFAULTS = { earlyRenewalHours: 0, isCaCertificate: false, setSubjectKeyId: false };
const CERTIFICATE_OUTPUTS = ["certPem", "readyForRenewal", "validityStartTime", "validityEndTime"];

const KINDS: Record<string, Kind> = {
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
        make: async (inputs) => {
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
                // Not made here: OpenSSH's own format is of no use to clusters.
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
        make: async (inputs, now) => {
            const { family, ...certificate } = await selfSigned(inputs as unknown as Parameters<typeof selfSigned>[0], now);
            return { ...certificateOutputs(certificate), keyAlgorithm: family };
        },
    },
    "tls:index/certRequest:CertRequest": {
        required: ["privateKeyPem"],
        defaults: {},
        computed: ["certRequestPem", "keyAlgorithm"],
        secrets: ["privateKeyPem"],
        make: async (inputs) => {
            const { id, pem, family } = await certificateRequest(inputs as unknown as Parameters<typeof certificateRequest>[0]);
            return { id, certRequestPem: pem, keyAlgorithm: family };
        },
    },
    "tls:index/locallySignedCert:LocallySignedCert": {
        required: ["certRequestPem", "caCertPem", "caPrivateKeyPem", "allowedUses", "validityPeriodHours"],
        defaults: CERTIFICATE_DEFAULTS,
        computed: [...CERTIFICATE_OUTPUTS, "caKeyAlgorithm"],
        secrets: ["caPrivateKeyPem"],
        make: async (inputs, now) => {
            const { family, ...certificate } = await locallySigned(inputs as unknown as Parameters<typeof locallySigned>[0], now);
            return { ...certificateOutputs(certificate), caKeyAlgorithm: family };
        },
    },
};

/** A lab's stand-in for @pulumi/tls 5.6: real keys and certificates, the same rules of what may be asked for and what replaces. */
export function tlsPackage(clock: () => Date = () => new Date()): Package {
    const types = Object.fromEntries(Object.entries(KINDS).map(([token, kind]) => [token, resourceType(kind, clock)]));
    return { name: "tls", version: "5.6.1", open: () => ({ resource: (type) => types[type] }) };
}

/** Outputs of a resource of this type with these inputs. @throws Error for inputs that the provider refuses */
export async function makeTls(type: string, inputs: Properties, now = new Date()): Promise<Properties & { id: string }> {
    const kind = KINDS[type];
    if (!kind) throw new Error(`unknown resource type ${type}`);
    const [refused] = failures(kind, inputs);
    if (refused) throw new Error(refused.reason);
    const known = withDefaults(kind, inputs);
    return { ...known, ...(await kind.make(known, now)) };
}

function resourceType(kind: Kind, clock: () => Date): ResourceType {
    return {
        secretOutputs: kind.secrets,
        check: ({ news }) => ({ inputs: news, failures: failures(kind, news) }),
        diff: ({ olds, oldInputs, news, ignoreChanges }) => {
            const [before, after] = [withDefaults(kind, oldInputs), withDefaults(kind, news)];
            const diff = diffInputs(before, after, { allBut: ["earlyRenewalHours"] }, ignoreChanges);
            if (!dueForRenewal({ ...olds, earlyRenewalHours: after.earlyRenewalHours }, clock())) return diff;
            const path = "readyForRenewal";
            return { changes: true, detailed: { ...diff.detailed, [path]: "update" }, replaces: [...diff.replaces, path] };
        },
        create: async ({ inputs, preview }) => {
            const known = withDefaults(kind, inputs);
            if (preview) return { id: "", outputs: { ...known, ...Object.fromEntries(kind.computed.map((key) => [key, UNKNOWN])) } };
            const { id, ...made } = await kind.make(known, clock());
            return { id, outputs: { ...known, ...made } };
        },
        // Nothing of it is anywhere but in the state; time alone changes it.
        read: ({ id, olds, oldInputs }) => ({
            id,
            outputs: dueForRenewal(olds, clock()) ? { ...olds, readyForRenewal: true } : olds,
            inputs: oldInputs,
        }),
        update: ({ olds, inputs }) => ({ outputs: { ...olds, ...withDefaults(kind, inputs) } }),
    };
}

function withDefaults(kind: Kind, inputs: Properties): Properties {
    const given = Object.entries(inputs).filter(([, value]) => value !== undefined && value !== null);
    return { ...kind.defaults, ...Object.fromEntries(given) };
}

function failures(kind: Kind, inputs: Properties): CheckFailure[] {
    const missing = kind.required
        .filter((key) => inputs[key] === undefined || inputs[key] === null)
        .map((property) => ({
            property,
            reason: `Missing required argument. The argument "${snake(property)}" is required, but no definition was found.`,
        }));
    const one = (property: string, value: Value | undefined, allowed: readonly string[]): CheckFailure[] =>
        value === undefined || value === null || value instanceof Unknown || allowed.includes(String(value))
            ? []
            : [
                  {
                      property,
                      reason: `Attribute ${snake(property)} value must be one of: [${allowed.map((name) => `"${name}"`).join(" ")}], got: "${value}"`,
                  },
              ];
    const least = (property: string, limit: number): CheckFailure[] =>
        typeof inputs[property] === "number" && inputs[property] < limit
            ? [{ property, reason: `Attribute ${snake(property)} value must be at least ${limit}, got: ${inputs[property]}` }]
            : [];
    const uses = Array.isArray(inputs.allowedUses) ? inputs.allowedUses : [];
    return [
        ...missing,
        ...one("algorithm", inputs.algorithm, ALGORITHMS),
        ...one("ecdsaCurve", inputs.ecdsaCurve, CURVE_NAMES),
        ...uses.flatMap((use, i) => one(`allowedUses[${i}]`, use, USES)),
        ...least("validityPeriodHours", 0),
        ...least("earlyRenewalHours", 0),
        ...least("maxPathLength", -1),
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
