import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments, stringify } from "yaml";
import { ciliumValues } from "../../../../core/cilium/helm-values.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { type Authority, createAuthority } from "../../cluster/pki.ts";
import { freePorts } from "../../process/ports.ts";
import { type Process, startProcess } from "../../process/processes.ts";
import { ciliumChart } from "../../tools/cilium.ts";
import { ensureTools } from "../../tools/tools.ts";

const run = promisify(execFile);
const TIMEOUT_MILLISECONDS = 60_000;
const PROGRAMS = ["etcd", "helm", "kubectl", "simulated-operator", "clustermesh-apiserver", "cilium-dbg"] as const;

type Programs = Readonly<Record<(typeof PROGRAMS)[number], string>>;

/** `etcdinit` starts /usr/bin/etcd on a fixed loopback port. In these namespaces it has its own file system and loopback, without root. */
const ISOLATED = ["--user", "--map-root-user", "--net", "--mount", "--propagation", "private"];

/** Why `etcdinit` cannot run here. Undefined: it can. */
export async function whyNoNamespaces(): Promise<string | undefined> {
    return run("unshare", [...ISOLATED, "true"]).then(
        () => undefined,
        (error) => `no user namespaces: ${error}`,
    );
}

interface KubernetesObject {
    kind: string;
    metadata: { name: string; namespace?: string };
    data?: Record<string, string>;
}

const CA_FILE = "mesh-ca.crt";

/** Cilium's programs outside of containers, with the chart's configuration, arguments and RBAC rules. */
export class CiliumPrograms {
    readonly #cluster: Cluster;
    readonly #folder: string;
    readonly #program: Programs;
    readonly #authority: Authority;
    readonly #started: Process[] = [];

    static async prepare(cluster: Cluster, folder: string): Promise<CiliumPrograms> {
        const program = await ensureTools(PROGRAMS, { log: console.log });
        await mkdir(join(folder, "usr-bin"));
        await symlink(program.etcd, join(folder, "usr-bin/etcd"));
        await writeFile(join(folder, "admin.json"), cluster.kubeconfig, { mode: 0o600 });
        const authority = await createAuthority("mesh");
        // Once: an etcd that starts while the file is written again reads no CA, and refuses every client.
        await writeFile(join(folder, CA_FILE), authority.certificate, { mode: 0o600 });
        return new CiliumPrograms(cluster, folder, program, authority);
    }

    private constructor(cluster: Cluster, folder: string, program: Programs, authority: Authority) {
        this.#cluster = cluster;
        this.#folder = folder;
        this.#program = program;
        this.#authority = authority;
    }

    async kubectl(...args: string[]): Promise<string> {
        const admin = `--kubeconfig=${join(this.#folder, "admin.json")}`;
        return (await run(this.#program.kubectl, [admin, ...args], { timeout: TIMEOUT_MILLISECONDS })).stdout;
    }

    async apply(...objects: object[]): Promise<void> {
        const file = await this.#write("apply.yaml", objects.map((object) => stringify(object)).join("---\n"));
        await this.kubectl("apply", "-f", file);
    }

    async get(...args: string[]) {
        return JSON.parse(await this.kubectl("get", ...args, "-o", "json"));
    }

    log(name: string): Promise<string> {
        return readFile(join(this.#folder, `${name}.log`), "utf8");
    }

    async stop(): Promise<void> {
        for (const process of this.#started.toReversed()) await process.stop();
    }

    /** Applies the release's objects except pods, and writes the configuration as its containers see it. */
    async install(name: string, id: number, poolCidr: string): Promise<void> {
        const values = ciliumValues({ name, id, poolCidr, mtu: 1500, kvstoreMesh: false, privileged: false }, {});
        const file = await this.#write("values.json", JSON.stringify(values));
        const chart = await ciliumChart({ log: console.log });
        const args = ["template", "cilium", chart, "-n", "kube-system", "--kube-version", "1.36.0", "-f", file];
        const { stdout } = await run(this.#program.helm, args, { maxBuffer: 2 ** 24 });
        const objects = parseAllDocuments(stdout).flatMap((document): KubernetesObject[] => document.toJS() ?? []);
        await this.apply(...objects.filter(({ kind }) => /^(Namespace|ServiceAccount|(Cluster)?Role(Binding)?)$/.test(kind)));
        const config = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "cilium-config")?.data ?? {};
        await mkdir(join(this.#folder, "config"));
        for (const [key, value] of Object.entries(config)) await this.#write(join("config", key), value);
    }

    /** Starts a replica of the operator. @returns it, with its health check */
    async startOperator(name: string, ...more: string[]) {
        const ports = await freePorts(["api", "metrics"]);
        const args = [
            `--config-dir=${join(this.#folder, "config")}`,
            `--k8s-kubeconfig-path=${await this.#account("cilium-operator")}`,
            `--operator-api-serve-addr=127.0.0.1:${ports.api}`,
            `--operator-prometheus-serve-addr=127.0.0.1:${ports.metrics}`,
            ...this.#separate(name),
            ...more,
        ];
        const env = { CILIUM_K8S_NAMESPACE: "kube-system", K8S_NODE_NAME: name };
        const process = this.#start(name, this.#program["simulated-operator"], args, env);
        return { name, process, healthy: () => responds(`http://127.0.0.1:${ports.api}/healthz`) };
    }

    /** Starts etcd as in a pod of clustermesh-apiserver. @returns a function that writes the etcd configuration of a client */
    async startMeshEtcd(name: string, replica = name) {
        const data = join(this.#folder, `${replica}-etcd`);
        await mkdir(data, { mode: 0o700 });
        const bin = join(this.#folder, "usr-bin");
        const script = `ip link set lo up && mount -t overlay overlay -o lowerdir=${bin}:/usr/bin /usr/bin && exec "$@"`;
        const init = ["etcdinit", `--etcd-data-dir=${data}`, `--cluster-name=${name}`, "--timeout=60s"];
        const command = ["/bin/sh", "-c", script, "sh", this.#program["clustermesh-apiserver"], ...init];
        await run("unshare", [...ISOLATED, ...command], { timeout: TIMEOUT_MILLISECONDS });

        const { client, peer } = await freePorts(["client", "peer"]);
        const tls = await this.#credential(`${replica}-server`, { commonName: name, names: ["127.0.0.1", "localhost"] });
        this.#start(`${replica}-etcd`, this.#program.etcd, [
            "--name=clustermesh-apiserver",
            `--data-dir=${data}`,
            "--client-cert-auth",
            ...[`--trusted-ca-file=${tls.ca}`, `--cert-file=${tls.cert}`, `--key-file=${tls.key}`],
            ...[`--listen-client-urls=https://127.0.0.1:${client}`, `--advertise-client-urls=https://127.0.0.1:${client}`],
            ...[`--listen-peer-urls=http://127.0.0.1:${peer}`, "--unsafe-no-fsync", "--log-level=warn"],
        ]);
        return (user: string) => this.#clientConfig(replica, `https://127.0.0.1:${client}`, user);
    }

    /**
     * Starts the container that writes the cluster into its etcd.
     *
     * @param users names of etcd's users
     * @returns it, with its readiness check
     */
    async startClustermesh(name: string, id: number, etcd: string, replica: string, more: string[] = [], users: string[] = []) {
        const { health } = await freePorts(["health"]);
        const file = await this.#write(
            `${replica}-users.yaml`,
            stringify({ users: users.map((user) => ({ name: user, role: "remote" })) }),
        );
        const process = this.#start(replica, this.#program["clustermesh-apiserver"], [
            "clustermesh",
            ...[`--cluster-name=${name}`, `--cluster-id=${id}`, `--kvstore-opt=etcd.config=${etcd}`, "--max-connected-clusters=255"],
            ...["--kvstore-opt=etcd.qps=50", "--kvstore-opt=etcd.bootstrapQps=10000", `--health-port=${health}`],
            ...["--cluster-users-enabled", `--cluster-users-config-path=${file}`, "--clustermesh-default-global-namespace=true"],
            `--k8s-kubeconfig-path=${await this.#account("clustermesh-apiserver")}`,
            ...this.#separate(replica),
            ...more,
        ]);
        return { process, ready: () => responds(`http://127.0.0.1:${health}/readyz`) };
    }

    /**
     * Starts a peer's kvstoremesh.
     *
     * @param remote etcd configuration of the cluster that it reads
     * @returns a function that reads its status of that cluster
     */
    async startKvstoremesh(name: string, id: number, etcd: string, cluster: string, remote: string) {
        const { health, api } = await freePorts(["health", "api"]);
        await mkdir(join(this.#folder, "peers"));
        await this.#write(join("peers", cluster), await readFile(remote, "utf8"));
        this.#start("kvstoremesh", this.#program["clustermesh-apiserver"], [
            "kvstoremesh",
            ...[`--cluster-name=${name}`, `--cluster-id=${id}`, `--kvstore-opt=etcd.config=${etcd}`, "--max-connected-clusters=255"],
            ...[`--clustermesh-config=${join(this.#folder, "peers")}`, `--health-port=${health}`, `--api-serve-addr=127.0.0.1:${api}`],
            ...this.#separate("kvstoremesh"),
        ]);
        return async () => {
            const remotes = JSON.parse(await read(`http://127.0.0.1:${api}/v1/cluster`)) as Record<string, unknown>[];
            return remotes.find((candidate) => candidate.name === cluster);
        };
    }

    /** Reads everything under a prefix of an etcd with Cilium's own client. */
    async stored(etcd: string, prefix: string): Promise<Map<string, string>> {
        const args = ["kvstore", "get", "--recursive", prefix, "--kvstore=etcd", `--kvstore-opt=etcd.config=${etcd}`];
        const { stdout } = await run(this.#program["cilium-dbg"], args, { timeout: TIMEOUT_MILLISECONDS, maxBuffer: 2 ** 24 });
        // The command prints log lines too.
        return new Map([...stdout.matchAll(/^(cilium\/\S+) => (.*)$/gm)].map(([, key = "", value = ""]) => [key, value]));
    }

    async #write(name: string, content: string): Promise<string> {
        await writeFile(join(this.#folder, name), content, { mode: 0o600 });
        return join(this.#folder, name);
    }

    /** Starts a program whose output goes to `<name>.log`. */
    #start(name: string, file: string, args: string[], env: Record<string, string> = {}): Process {
        const process = startProcess({ name, file, args, log: join(this.#folder, `${name}.log`), env, folder: this.#folder });
        this.#started.push(process);
        return process;
    }

    /** Arguments that keep programs of Cilium on one machine apart. */
    #separate(name: string): string[] {
        return ["--enable-gops=false", `--shell-sock-path=${join(this.#folder, `${name}.sock`)}`];
    }

    /** Writes a kubeconfig for a ServiceAccount. */
    async #account(name: string): Promise<string> {
        const token = await this.kubectl("create", "token", name, "-n", "kube-system");
        const config = JSON.parse(this.#cluster.kubeconfig);
        const users = config.users.map((user: object) => ({ ...user, user: { token } }));
        return this.#write(`${name}.json`, JSON.stringify({ ...config, users }));
    }

    async #credential(file: string, holder: Parameters<Authority["issue"]>[0]) {
        const { certificate, key } = await this.#authority.issue(holder);
        return {
            ca: join(this.#folder, CA_FILE),
            cert: await this.#write(`${file}.crt`, certificate),
            key: await this.#write(`${file}.key`, key),
        };
    }

    async #clientConfig(name: string, endpoint: string, user: string): Promise<string> {
        const tls = await this.#credential(`${name}-${user}`, { commonName: user });
        const config = { endpoints: [endpoint], "trusted-ca-file": tls.ca, "cert-file": tls.cert, "key-file": tls.key };
        return this.#write(`${name}-${user}.yaml`, stringify(config));
    }
}

async function read(url: string): Promise<string> {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`${url} returned ${response.status}: ${await response.text()}`);
    return response.text();
}

async function responds(url: string): Promise<true> {
    await read(url);
    return true;
}
