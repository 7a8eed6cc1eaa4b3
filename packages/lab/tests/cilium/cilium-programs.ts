import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments, stringify } from "yaml";
import { ciliumValues } from "../../../../core/cilium/helm-values.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { createAuthority } from "../../cluster/pki.ts";
import { freePorts } from "../../process/ports.ts";
import { type Process, startProcess } from "../../process/processes.ts";
import { ciliumChart } from "../../tools/cilium.ts";
import { ensureTools } from "../../tools/tools.ts";

const run = promisify(execFile);
const TIMEOUT_MILLISECONDS = 60_000;

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

/** Cilium's programs outside of containers, with the chart's configuration, arguments and RBAC rules. */
export async function ciliumPrograms(cluster: Cluster, folder: string) {
    const log = (line: string) => console.log(line);
    const program = await ensureTools(["etcd", "helm", "kubectl", "simulated-operator", "clustermesh-apiserver", "cilium-dbg"], {
        log,
    });
    const authority = await createAuthority("mesh");
    const admin = await write("admin.json", cluster.kubeconfig);
    const started: Process[] = [];
    await mkdir(join(folder, "usr-bin"));
    await symlink(program.etcd, join(folder, "usr-bin/etcd"));

    async function write(name: string, content: string): Promise<string> {
        await writeFile(join(folder, name), content, { mode: 0o600 });
        return join(folder, name);
    }

    async function kubectl(...args: string[]): Promise<string> {
        return (await run(program.kubectl, [`--kubeconfig=${admin}`, ...args], { timeout: TIMEOUT_MILLISECONDS })).stdout;
    }

    async function apply(...objects: object[]): Promise<void> {
        await kubectl("apply", "-f", await write("apply.yaml", objects.map((object) => stringify(object)).join("---\n")));
    }

    /** Starts a program whose output goes to `<name>.log`. */
    function start(name: string, file: string, args: string[], env: Record<string, string> = {}): Process {
        const process = startProcess({ name, file, args, log: join(folder, `${name}.log`), env, folder });
        started.push(process);
        return process;
    }

    /** Arguments that keep programs of Cilium on one machine apart. */
    const separate = (name: string) => ["--enable-gops=false", `--shell-sock-path=${join(folder, `${name}.sock`)}`];

    /** Writes a kubeconfig for a ServiceAccount. */
    async function account(name: string): Promise<string> {
        const token = await kubectl("create", "token", name, "-n", "kube-system");
        const config = JSON.parse(cluster.kubeconfig);
        return write(
            `${name}.json`,
            JSON.stringify({ ...config, users: config.users.map((user: object) => ({ ...user, user: { token } })) }),
        );
    }

    return {
        kubectl,
        apply,
        get: async (...args: string[]) => JSON.parse(await kubectl("get", ...args, "-o", "json")),
        log: (name: string) => readFile(join(folder, `${name}.log`), "utf8"),
        stop: async () => {
            for (const process of started.toReversed()) await process.stop();
        },

        /** Applies the release's objects except pods, and writes the configuration as its containers see it. */
        async install(name: string, id: number, poolCidr: string): Promise<void> {
            const values = ciliumValues({ name, id, poolCidr, mtu: 1500, kvstoreMesh: false, privileged: false }, {});
            const file = await write("values.json", JSON.stringify(values));
            const template = [
                "template",
                "cilium",
                await ciliumChart({ log }),
                "-n",
                "kube-system",
                "--kube-version",
                "1.36.0",
                "-f",
                file,
            ];
            const { stdout } = await run(program.helm, template, { maxBuffer: 2 ** 24 });
            const objects = parseAllDocuments(stdout).flatMap((document): KubernetesObject[] => document.toJS() ?? []);
            await apply(...objects.filter(({ kind }) => /^(Namespace|ServiceAccount|(Cluster)?Role(Binding)?)$/.test(kind)));
            const config = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "cilium-config")?.data ?? {};
            await mkdir(join(folder, "config"));
            for (const [key, value] of Object.entries(config)) await write(join("config", key), value);
        },

        /** Starts a replica of the operator. @returns it, with its health check */
        async startOperator(name: string, ...more: string[]) {
            const ports = await freePorts(["api", "metrics"]);
            const addresses = [
                `--operator-api-serve-addr=127.0.0.1:${ports.api}`,
                `--operator-prometheus-serve-addr=127.0.0.1:${ports.metrics}`,
            ];
            const args = [`--config-dir=${join(folder, "config")}`, `--k8s-kubeconfig-path=${await account("cilium-operator")}`];
            const env = { CILIUM_K8S_NAMESPACE: "kube-system", K8S_NODE_NAME: name };
            const process = start(name, program["simulated-operator"], [...args, ...addresses, ...separate(name), ...more], env);
            return { name, process, healthy: () => answers(`http://127.0.0.1:${ports.api}/healthz`) };
        },

        /** Starts etcd as in a pod of clustermesh-apiserver. @returns a function that writes the etcd configuration of a client */
        async startMeshEtcd(name: string, replica = name) {
            const data = join(folder, `${replica}-etcd`);
            await mkdir(data, { mode: 0o700 });
            const bin = join(folder, "usr-bin");
            const script = `ip link set lo up && mount -t overlay overlay -o lowerdir=${bin}:/usr/bin /usr/bin && exec "$@"`;
            const init = [
                program["clustermesh-apiserver"],
                "etcdinit",
                `--etcd-data-dir=${data}`,
                `--cluster-name=${name}`,
                "--timeout=60s",
            ];
            await run("unshare", [...ISOLATED, "/bin/sh", "-c", script, "sh", ...init], { timeout: TIMEOUT_MILLISECONDS });

            const { client, peer } = await freePorts(["client", "peer"]);
            const tls = await credential(`${replica}-server`, { commonName: name, names: ["127.0.0.1", "localhost"] });
            start(`${replica}-etcd`, program.etcd, [
                "--name=clustermesh-apiserver",
                `--data-dir=${data}`,
                "--client-cert-auth",
                ...[`--trusted-ca-file=${tls.ca}`, `--cert-file=${tls.cert}`, `--key-file=${tls.key}`],
                ...[`--listen-client-urls=https://127.0.0.1:${client}`, `--advertise-client-urls=https://127.0.0.1:${client}`],
                ...[`--listen-peer-urls=http://127.0.0.1:${peer}`, "--unsafe-no-fsync", "--log-level=warn"],
            ]);
            return (user: string) => clientConfig(replica, `https://127.0.0.1:${client}`, user);
        },

        /** Starts the container that writes the cluster into its etcd. @param users names of etcd's users @returns it, with its readiness check */
        async startClustermesh(name: string, id: number, etcd: string, replica: string, more: string[] = [], users: string[] = []) {
            const { health } = await freePorts(["health"]);
            const file = await write(`${replica}-users.yaml`, stringify({ users: users.map((user) => ({ name: user, role: "remote" })) }));
            const process = start(replica, program["clustermesh-apiserver"], [
                "clustermesh",
                ...[`--cluster-name=${name}`, `--cluster-id=${id}`, `--kvstore-opt=etcd.config=${etcd}`, "--max-connected-clusters=255"],
                ...["--kvstore-opt=etcd.qps=50", "--kvstore-opt=etcd.bootstrapQps=10000", `--health-port=${health}`],
                ...["--cluster-users-enabled", `--cluster-users-config-path=${file}`, "--clustermesh-default-global-namespace=true"],
                `--k8s-kubeconfig-path=${await account("clustermesh-apiserver")}`,
                ...separate(replica),
                ...more,
            ]);
            return { process, ready: () => answers(`http://127.0.0.1:${health}/readyz`) };
        },

        /** Starts a peer's kvstoremesh. @param remote etcd configuration of the cluster that it reads @returns a function that reads its status of that cluster */
        async startKvstoremesh(name: string, id: number, etcd: string, cluster: string, remote: string) {
            const { health, api } = await freePorts(["health", "api"]);
            await mkdir(join(folder, "peers"));
            await write(join("peers", cluster), await readFile(remote, "utf8"));
            start("kvstoremesh", program["clustermesh-apiserver"], [
                "kvstoremesh",
                ...[`--cluster-name=${name}`, `--cluster-id=${id}`, `--kvstore-opt=etcd.config=${etcd}`, "--max-connected-clusters=255"],
                ...[`--clustermesh-config=${join(folder, "peers")}`, `--health-port=${health}`, `--api-serve-addr=127.0.0.1:${api}`],
                ...separate("kvstoremesh"),
            ]);
            return async () =>
                (JSON.parse(await read(`http://127.0.0.1:${api}/v1/cluster`)) as Record<string, unknown>[]).find(
                    (remote) => remote.name === cluster,
                );
        },

        /** Reads everything under a prefix of an etcd with Cilium's own client. */
        async stored(etcd: string, prefix: string): Promise<Map<string, string>> {
            const args = ["kvstore", "get", "--recursive", prefix, "--kvstore=etcd", `--kvstore-opt=etcd.config=${etcd}`];
            const { stdout } = await run(program["cilium-dbg"], args, { timeout: TIMEOUT_MILLISECONDS, maxBuffer: 2 ** 24 });
            // The command prints log lines too.
            return new Map([...stdout.matchAll(/^(cilium\/\S+) => (.*)$/gm)].map(([, key = "", value = ""]) => [key, value]));
        },
    };

    async function credential(file: string, holder: Parameters<typeof authority.issue>[0]) {
        const { certificate, key } = await authority.issue(holder);
        return {
            ca: await write("mesh-ca.crt", authority.certificate),
            cert: await write(`${file}.crt`, certificate),
            key: await write(`${file}.key`, key),
        };
    }

    async function clientConfig(name: string, endpoint: string, user: string): Promise<string> {
        const tls = await credential(`${name}-${user}`, { commonName: user });
        return write(
            `${name}-${user}.yaml`,
            stringify({ endpoints: [endpoint], "trusted-ca-file": tls.ca, "cert-file": tls.cert, "key-file": tls.key }),
        );
    }
}

async function read(url: string): Promise<string> {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`${url} returned ${response.status}: ${await response.text()}`);
    return response.text();
}

async function answers(url: string): Promise<true> {
    await read(url);
    return true;
}
