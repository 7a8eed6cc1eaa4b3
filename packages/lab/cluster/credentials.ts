import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { addressAt } from "../../../core/network/cidr.ts";
import { HOLDERS } from "./control-plane.ts";
import { type Credential, createAuthority, createSigningKeys } from "./pki.ts";

/** Certificates and token of one cluster. Created once and kept in its data folder. */
export interface Credentials {
    /** Certificate of the CA, PEM. */
    authority: string;
    kubelet: Credential;
    /** Bearer token of an administrator. */
    token: string;
}

/** Reads a cluster's credentials; the first call creates them. @param folder the cluster's data folder */
export async function loadCredentials(folder: string, name: string, serviceCidr: string): Promise<Credentials> {
    const pki = join(folder, "pki");
    return read(pki).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
        const unfinished = join(folder, "pki.new");
        await mkdir(unfinished, { recursive: true, mode: 0o700 });
        await create(unfinished, name, serviceCidr);
        // Rename once complete: after a kill, half a set would look like a whole one.
        await rename(unfinished, pki);
        return read(pki);
    });
}

/** A kubeconfig with a bearer token, as JSON. */
export function tokenKubeconfig(name: string, endpoint: string, authority: string, token: string): string {
    return kubeconfig(name, endpoint, { "certificate-authority-data": Buffer.from(authority).toString("base64") }, { token });
}

/** A kubeconfig with a holder's certificate from the data folder, as JSON. */
export function certificateKubeconfig(name: string, endpoint: string, folder: string, holder: string): string {
    const pki = (file: string) => join(folder, "pki", file);
    return kubeconfig(
        name,
        endpoint,
        { "certificate-authority": pki("ca.crt") },
        { "client-certificate": pki(`${holder}.crt`), "client-key": pki(`${holder}.key`) },
    );
}

/**
 * The kubeconfig, as JSON, with environment variables for the commands that its users run for a token. Clients add these to the environment
 * of their own process, and @kubernetes/client-node takes no other way.
 */
export function withExecEnvironment(kubeconfig: string, env: Record<string, string>): string {
    const config = parse(kubeconfig);
    const variables = Object.entries(env).map(([name, value]) => ({ name, value }));
    for (const { user } of config.users ?? []) if (user?.exec) user.exec.env = [...(user.exec.env ?? []), ...variables];
    return JSON.stringify(config);
}

function kubeconfig(name: string, server: string, authority: Record<string, string>, user: Record<string, string>): string {
    return JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": name,
        clusters: [{ name, cluster: { server, ...authority } }],
        contexts: [{ name, context: { cluster: name, user: name } }],
        users: [{ name, user }],
    });
}

async function read(pki: string): Promise<Credentials> {
    const text = (file: string) => readFile(join(pki, file), "utf8");
    const [authority, certificate, key, tokens] = await Promise.all([
        text("ca.crt"),
        text("kubelet.crt"),
        text("kubelet.key"),
        text("tokens.csv"),
    ]);
    return { authority, kubelet: { certificate, key }, token: tokens.split(",")[0] ?? "" };
}

async function create(pki: string, name: string, serviceCidr: string): Promise<void> {
    const write = async (file: string, text: string) => {
        const path = join(pki, file);
        await writeFile(path, text, { mode: 0o600 });
        await chmod(path, 0o600);
    };
    const writeBoth = async (file: string, { certificate, key }: Credential) => {
        await write(`${file}.crt`, certificate);
        await write(`${file}.key`, key);
    };
    const [cluster, signing] = await Promise.all([createAuthority(name), createSigningKeys()]);
    const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
    await Promise.all([
        write("ca.crt", cluster.certificate),
        write("service-accounts.key", signing.privateKey),
        write("service-accounts.pub", signing.publicKey),
        write("tokens.csv", `${randomBytes(32).toString("hex")},admin,admin,"system:masters"\n`),
        cluster
            .issue({ commonName: "kube-apiserver", names: ["localhost", "127.0.0.1", ...service, addressAt(serviceCidr, 1)] })
            .then((made) => writeBoth("apiserver", made)),
        ...Object.entries(HOLDERS).map(async ([file, holder]) => writeBoth(file, await cluster.issue(holder))),
    ]);
}
