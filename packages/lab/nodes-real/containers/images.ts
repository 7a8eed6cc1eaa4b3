import type { V1Container } from "@kubernetes/client-node";

/**
 * Stands for aws-node, which would ask EC2 for the instance's prefixes: the lab's kubelet tells it by AWS_VPC_CNI_PREFIXES. Pods hang on the node's routing
 * table by veth pairs, as with the VPC CNI; of each prefix host-local leaves out the first address and the last two. The file is renamed when complete,
 * because the kubelet reads whatever lies there.
 */
const AWS_NODE = `
cd /host/etc/cni/net.d
ranges=$(for prefix in $AWS_VPC_CNI_PREFIXES; do printf '%s{"subnet":"%s"}' "$comma" "$prefix"; comma=,; done)
cat > .10-aws.tmp <<END
{"cniVersion":"0.4.0","name":"aws-cni","disableCheck":true,"plugins":[{"type":"ptp","ipMasq":false,"mtu":$AWS_VPC_ENI_MTU,
"ipam":{"type":"host-local","dataDir":"/run/aws-node","ranges":[[$ranges]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
END
mv .10-aws.tmp 10-aws.conflist
trap 'exit 0' TERM
sleep infinity & wait
`;

/** What a container may need, by the names that the lab's tools have for it. */
export type ContainerProgram =
    | "agnhost"
    | "cached-clang"
    | "cilium-agent"
    | "cilium-cni"
    | "cilium-dbg"
    | "cilium-health"
    /** The folder of Cilium's sources that its images hold. */
    | "cilium-sources"
    /** The folder in which `cached-clang` keeps objects. */
    | "clang-objects"
    | "clustermesh-apiserver"
    | "etcd"
    | "host-local"
    | "kube-proxy"
    | "ptp"
    | "simulated-operator";

/** Paths on this machine. */
export type ContainerPrograms = Readonly<Partial<Record<ContainerProgram, string>>>;

type Source = ContainerProgram | `cilium-sources/${string}`;

interface Image {
    /** Where the image has a program or a file, and which of ours lies there. */
    files: Readonly<Record<string, Source>>;
    /** Folders into which the container writes as well: it gets a layer of its own above each. */
    folders?: Readonly<Record<string, Source>>;
    /** Folders that all containers of this machine write to together. */
    shared?: Readonly<Record<string, Source>>;
    /** Folders of the image that go before all others in its PATH. */
    path?: readonly string[];
    entrypoint?: readonly string[];
    env?: Readonly<Record<string, string>>;
    /** By the container's name: what is changed in it, and why. */
    changes?: Readonly<Record<string, Change>>;
}

/** A step that is left out says why: whoever reads this file sees all in which the lab departs from the chart. */
type Change = { why: string; skip: true };

/** As the images have it: without, a user who has no home cannot start. */
const GOPS = { GOPS_CONFIG_DIR: "/tmp/gops" };

const SHELL_STEP = "by nsenter, a step on the machine below";

/** By repository, without registry, tag and digest. An image that is not here, coredns say, runs as a pod that is merely ready. */
const IMAGES: Readonly<Record<string, Image>> = {
    "cilium/cilium": {
        files: {
            "/usr/bin/cilium-agent": "cilium-agent",
            "/usr/bin/cilium-dbg": "cilium-dbg",
            "/usr/bin/cilium-health": "cilium-health",
            "/opt/cni/bin/cilium-cni": "cilium-cni",
            "/init-container.sh": "cilium-sources/images/cilium/init-container.sh",
            "/install-plugin.sh": "cilium-sources/plugins/cilium-cni/install-plugin.sh",
            "/cni-uninstall.sh": "cilium-sources/plugins/cilium-cni/cni-uninstall.sh",
            // Six agents that each compile the same objects would keep two cores busy for half a minute.
            "/opt/lab/clang": "cached-clang",
        },
        shared: { "/var/cache/clang": "clang-objects" },
        path: ["/opt/lab"],
        // The agent writes a header into it.
        folders: { "/var/lib/cilium/bpf": "cilium-sources/bpf" },
        env: GOPS,
        changes: {
            "mount-cgroup": {
                skip: true,
                why: `${SHELL_STEP}; the node's holder has mounted the node's cgroup2 where the agent looks for it`,
            },
            "apply-sysctl-overwrites": {
                skip: true,
                why: `${SHELL_STEP}; it writes systemd's files, and a node's network has rp_filter off already`,
            },
        },
    },
    "cilium/operator-generic": { files: { "/usr/bin/cilium-operator-generic": "simulated-operator" }, env: GOPS },
    "cilium/clustermesh-apiserver": {
        files: {
            "/usr/bin/clustermesh-apiserver": "clustermesh-apiserver",
            "/usr/bin/etcd": "etcd",
            "/var/lib/cilium/etcd-config.yaml": "cilium-sources/clustermesh-apiserver/etcd-config.yaml",
        },
        env: GOPS,
    },
    "eks/kube-proxy": { files: { "/usr/bin/kube-proxy": "kube-proxy" } },
    "amazon-k8s-cni-init": {
        files: { "/app/ptp": "ptp", "/app/host-local": "host-local" },
        entrypoint: ["install", "-m", "0755", "/app/ptp", "/app/host-local", "/host/opt/cni/bin/"],
    },
    "amazon-k8s-cni": { files: {}, entrypoint: ["/bin/bash", "-ec", AWS_NODE] },
    "e2e-test-images/agnhost": { files: { "/agnhost": "agnhost" }, entrypoint: ["/agnhost"] },
    // The machine's own shell and tools.
    busybox: { files: {} },
};

/** A container as the lab runs it. */
export interface Program {
    args: readonly string[];
    env: Readonly<Record<string, string>>;
    /** Laid into the container, its path → the machine's: files, and folders to which it may write. */
    files: Readonly<Record<string, string>>;
    folders: Readonly<Record<string, string>>;
    shared: Readonly<Record<string, string>>;
    path: readonly string[];
}

/**
 * What runs for a container.
 *
 * @returns undefined when nothing does: the container is merely ready, or, of an init container, done
 * @throws Error when the image needs a program that this lab does not have
 */
export function programOf(container: V1Container, programs: ContainerPrograms): Program | undefined {
    const image = IMAGES[repositoryOf(container.image ?? "")];
    const change = image?.changes?.[container.name];
    if (!image || change?.skip) return undefined;
    const found = (sources: Readonly<Record<string, Source>> = {}) =>
        Object.fromEntries(
            Object.entries(sources).map(([path, source]) => {
                const [name = "", ...part] = source.split("/");
                const file = programs[name as ContainerProgram];
                if (!file) throw new Error(`image ${container.image} needs the program ${name}, which this lab was not given`);
                return [path, [file, ...part].join("/")];
            }),
        );
    const { command, args = [] } = container;
    const own = command?.length ? command : (image.entrypoint ?? []);
    return {
        args: [...own, ...args],
        env: image.env ?? {},
        files: found(image.files),
        folders: found(image.folders),
        shared: found(image.shared),
        path: image.path ?? [],
    };
}

/** `quay.io/cilium/cilium:v1.20.2@sha256:…` → `cilium/cilium` */
export function repositoryOf(image: string): string {
    const name = image.split("@")[0] ?? "";
    const parts = name.split("/");
    const [first = ""] = parts;
    const registry = parts.length > 1 && (/[.:]/.test(first) || first === "localhost");
    const path = (registry ? parts.slice(1) : parts).join("/");
    return path.replace(/:[^/]*$/, "").replace(/^library\//, "");
}
