import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, webcrypto } from "node:crypto";

type SigningAlgorithm = { name: string; hash?: string };

/** A private key in the form that the certificate library takes. */
export interface SigningKey {
    keys: webcrypto.CryptoKeyPair;
    algorithm: SigningAlgorithm;
    /** The tls provider's name of the algorithm. */
    family: "RSA" | "ECDSA" | "ED25519";
    /** SubjectPublicKeyInfo. */
    spki: Buffer;
}

/** The tls provider's curves, with the names that OpenSSL, Web Crypto and SSH use, and the matching hash. Empty: not supported there. */
const CURVES = {
    P224: { openssl: "secp224r1", web: "", ssh: "", hash: "SHA-224" },
    P256: { openssl: "prime256v1", web: "P-256", ssh: "nistp256", hash: "SHA-256" },
    P384: { openssl: "secp384r1", web: "P-384", ssh: "nistp384", hash: "SHA-384" },
    P521: { openssl: "secp521r1", web: "P-521", ssh: "nistp521", hash: "SHA-512" },
} as const;

/** Key types that Go writes in their own format instead of PKCS #8. */
const OWN_FORMATS = [
    { type: "ec", format: "sec1" },
    { type: "rsa", format: "pkcs1" },
] as const;

export type Curve = keyof typeof CURVES;
export const CURVE_NAMES = Object.keys(CURVES) as Curve[];
export const ALGORITHMS = ["RSA", "ECDSA", "ED25519"] as const;

export function generate(algorithm: string, options: { curve: Curve; rsaBits: number }): KeyObject {
    switch (algorithm) {
        case "ECDSA":
            return generateKeyPairSync("ec", { namedCurve: CURVES[options.curve].openssl }).privateKey;
        case "RSA":
            return generateKeyPairSync("rsa", { modulusLength: options.rsaBits }).privateKey;
        case "ED25519":
            return generateKeyPairSync("ed25519").privateKey;
        default:
            throw new Error(`Key Algorithm "${algorithm}" is not supported`);
    }
}

/** A private key in PEM: in its algorithm's own format (PKCS #8 for Ed25519, which has none) and in PKCS #8. */
export function privateKeyFiles(key: KeyObject): { own: string; pkcs8: string } {
    const pkcs8 = key.export({ type: "pkcs8", format: "pem" }).toString();
    const own = OWN_FORMATS.find(({ type }) => type === key.asymmetricKeyType);
    return { own: own ? key.export({ type: own.format, format: "pem" }).toString() : pkcs8, pkcs8 };
}

/** The public key in all formats. The SSH fields are empty for P-224, which SSH does not support. */
export function publicKey(key: KeyObject) {
    const own = createPublicKey(key);
    const spki = own.export({ type: "spki", format: "der" });
    const blob = sshBlob(own);
    const pem = own.export({ type: "spki", format: "pem" }).toString();
    if (!blob) return { spki, pem, openssh: "", md5: "", sha256: "" };
    const type = blob.subarray(4, 4 + blob.readUInt32BE(0)).toString();
    const digest = (name: string) => createHash(name).update(blob).digest();
    return {
        spki,
        pem,
        openssh: `${type} ${blob.toString("base64")}\n`,
        md5: digest("md5").toString("hex").match(/../g)?.join(":") ?? "",
        sha256: `SHA256:${digest("sha256").toString("base64").replace(/=+$/, "")}`,
    };
}

/** @throws Error for text that is not a private key */
export async function signingKey(pem: string): Promise<SigningKey> {
    const key = createPrivateKey(pem);
    const spki = createPublicKey(key).export({ type: "spki", format: "der" });
    const { algorithm, family, ...parameters } = webAlgorithm(key);
    const importAs = { ...algorithm, ...parameters };
    const pkcs8 = key.export({ type: "pkcs8", format: "der" });
    const privateKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, importAs, true, ["sign"]);
    return {
        keys: { privateKey, publicKey: await webcrypto.subtle.importKey("spki", spki, importAs, true, ["verify"]) },
        algorithm,
        family,
        spki,
    };
}

function webAlgorithm(key: KeyObject): { algorithm: SigningAlgorithm; family: SigningKey["family"]; namedCurve?: string } {
    switch (key.asymmetricKeyType) {
        case "rsa":
            return { algorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, family: "RSA" };
        case "ed25519":
            return { algorithm: { name: "Ed25519" }, family: "ED25519" };
        default: {
            const curve = Object.values(CURVES).find(({ openssl }) => openssl === key.asymmetricKeyDetails?.namedCurve);
            if (!curve?.web) throw new Error("the lab's tls provider signs only with P256, P384, P521, RSA and ED25519 keys");
            return { algorithm: { name: "ECDSA", hash: curve.hash }, family: "ECDSA", namedCurve: curve.web };
        }
    }
}

/** A public key in SSH's binary format (RFC 4253, 5656, 8709). */
function sshBlob(key: KeyObject): Buffer | undefined {
    if (key.asymmetricKeyDetails?.namedCurve === CURVES.P224.openssl) return undefined;
    const jwk = key.export({ format: "jwk" });
    const bytes = (part: string | undefined) => Buffer.from(part ?? "", "base64url");
    const string = (part: Buffer | string) => {
        const content = Buffer.from(part as string);
        const length = Buffer.alloc(4);
        length.writeUInt32BE(content.length);
        return Buffer.concat([length, content]);
    };
    // SSH integers are signed: a leading zero byte keeps them positive.
    const integer = (part: string | undefined) => string(Buffer.concat([Buffer.from((bytes(part)[0] ?? 0) > 127 ? [0] : []), bytes(part)]));
    switch (key.asymmetricKeyType) {
        case "ed25519":
            return Buffer.concat([string("ssh-ed25519"), string(bytes(jwk.x))]);
        case "rsa":
            return Buffer.concat([string("ssh-rsa"), integer(jwk.e), integer(jwk.n)]);
        default: {
            const curve = Object.values(CURVES).find(({ web }) => web === jwk.crv);
            const point = Buffer.concat([Buffer.from([4]), bytes(jwk.x), bytes(jwk.y)]);
            return Buffer.concat([string(`ecdsa-sha2-${curve?.ssh}`), string(curve?.ssh ?? ""), string(point)]);
        }
    }
}
