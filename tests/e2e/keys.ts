import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What a private key looks like wherever it may lie: its number as bytes, in hexadecimal, in its DER's base64, and in the base64 of its PEM, at any offset. */
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

/** The base64 of bytes in the midst of others depends on where they begin: three ways, less the ends, which share digits with their neighbours. */
function base64Forms(bytes: Buffer): Buffer[] {
    return [0, 1, 2].map((offset) =>
        Buffer.from(
            Buffer.concat([Buffer.alloc(offset), bytes])
                .toString("base64")
                .slice(4, -4),
        ),
    );
}

/** Which of the places hold one of the keys, in any form. */
export function whereKeysLie(keys: readonly string[], places: Iterable<[name: string, content: Buffer]>): string[] {
    const forms = keys.flatMap(keyForms);
    return [...places].filter(([, content]) => forms.some((form) => content.includes(form))).map(([name]) => name);
}

/** Every file below the folder that the filter admits. */
export function filesBelow(folder: string, admit: (path: string) => boolean = () => true): [string, Buffer][] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .filter(admit)
        .map((path) => [path, readFileSync(path)]);
}

/** Gathers the command lines of all processes of this machine, from now on. @returns how to stop, and what was gathered */
export function watchCommandLines(): () => [string, Buffer][] {
    const seen = new Map<string, Buffer>();
    const look = () => {
        for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
            try {
                const line = readFileSync(`/proc/${pid}/cmdline`);
                seen.set(line.toString(), line);
            } catch {
                // It has ended meanwhile.
            }
        }
    };
    const timer = setInterval(look, 50);
    return () => {
        clearInterval(timer);
        return [...seen].map(([line, content]) => [`command line ${line.slice(0, 80)}`, content]);
    };
}
