import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The forms of a private key to search for: its number as bytes, in hexadecimal and in base64; the lines of its PEM, plain and in base64. Base64 is found at any offset. */
function keyForms(pem: string): Buffer[] {
    const { d = "" } = createPrivateKey(pem).export({ format: "jwk" });
    const secret = Buffer.from(d, "base64url");
    const body = pem.split("\n").filter((line) => line.length === 64);
    return [
        secret,
        Buffer.from(secret.toString("hex")),
        ...body.map((line) => Buffer.from(line)),
        ...base64Forms(secret),
        ...body.flatMap((line) => base64Forms(Buffer.from(line))),
    ];
}

/** The base64 of bytes within other bytes depends on their offset modulo 3. Returns all three, without the ends, whose digits also encode neighbouring bytes. */
function base64Forms(bytes: Buffer): Buffer[] {
    return [0, 1, 2].map((offset) =>
        Buffer.from(
            Buffer.concat([Buffer.alloc(offset), bytes])
                .toString("base64")
                .slice(4, -4),
        ),
    );
}

/** Names of the places that contain one of the keys, in any form. */
export function placesWithKeys(keys: readonly string[], places: Iterable<[name: string, content: Buffer]>): string[] {
    const forms = keys.flatMap(keyForms);
    return [...places].filter(([, content]) => forms.some((form) => content.includes(form))).map(([name]) => name);
}

/** Path and content of every file in the folder, at any depth, that passes the filter. */
export function filesBelow(folder: string, admit: (path: string) => boolean = () => true): [string, Buffer][] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .filter(admit)
        .map((path) => [path, readFileSync(path)]);
}

/**
 * Records the command lines of all processes on this machine.
 *
 * @returns a function that stops recording and returns the command lines
 */
export function watchCommandLines(): () => [string, Buffer][] {
    const seen = new Map<string, Buffer>();
    const scan = () => {
        for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
            try {
                const line = readFileSync(`/proc/${pid}/cmdline`);
                seen.set(line.toString(), line);
            } catch {
                // The process has ended in the meantime.
            }
        }
    };
    const timer = setInterval(scan, 50);
    return () => {
        clearInterval(timer);
        return [...seen].map(([line, content]) => [`command line ${line.slice(0, 80)}`, content]);
    };
}
