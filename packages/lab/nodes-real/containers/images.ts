import type { V1Container } from "@kubernetes/client-node";

/**
 * Stand-in for aws-node. The real one asks EC2 for the instance's prefixes; here the lab's kubelet passes them in AWS_VPC_CNI_PREFIXES.
 *
 * Pods are connected by veth pairs and the node's routing table, as with the VPC CNI. host-local skips the first address and the last two of each prefix.
 * The file is renamed when it is complete, because the kubelet reads any conflist that it finds.
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

/** Programs and folders that containers need, by their names among the lab's tools. */
export type ContainerProgram =
    | "agnhost"
    | "cached-clang"
    | "cilium-agent"
    | "cilium-cni"
    | "cilium-dbg"
    | "cilium-health"
    /** The folder of Cilium's sources, parts of which its images contain. */
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
    /** Paths in the image, and the program or file of the lab that is mounted there. */
    files: Readonly<Record<string, Source>>;
    /** Folders to which the container writes as well. Each gets a writable layer per container. */
    folders?: Readonly<Record<string, Source>>;
    /** Folders that all containers of this machine share, and write to. */
    shared?: Readonly<Record<string, Source>>;
    /** Folders of the image that come first in PATH. */
    path?: readonly string[];
    entrypoint?: readonly string[];
    env?: Readonly<Record<string, string>>;
    /** How the lab departs from the chart, by the container's name. */
    changes?: Readonly<Record<string, Change>>;
}

/** A container that is skipped, with the reason: this file lists every difference from the chart. */
type Change = { why: string; skip: true };

/** Set in the images too: without it, programs cannot start as a user without a home directory. */
const GOPS = { GOPS_CONFIG_DIR: "/tmp/gops" };

const NSENTER_STEP = "enters the machine's namespaces with nsenter";

/**
 * Images by repository, without registry, tag and digest.
 *
 * An image that is not listed, such as coredns, runs no program: its container is always ready.
 */
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
            // Six agents that each compile the same objects keep two cores busy for half a minute.
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
                why: `${NSENTER_STEP}; the node's holder has already mounted the node's cgroup2 where the agent looks for it`,
            },
            "apply-sysctl-overwrites": {
                skip: true,
                why: `${NSENTER_STEP}; it writes systemd's files, and rp_filter is already off in a node's network`,
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
    // Runs the machine's own shell and tools.
    busybox: { files: {} },
};

/** A container as the lab runs it. */
export interface Program {
    args: readonly string[];
    env: Readonly<Record<string, string>>;
    /** What is mounted into the container, path in the container → path on the machine: read-only files, folders with a writable layer, shared folders. */
    files: Readonly<Record<string, string>>;
    folders: Readonly<Record<string, string>>;
    shared: Readonly<Record<string, string>>;
    path: readonly string[];
}

/**
 * The program that runs for a container.
 *
 * @returns undefined when no program runs: the container is always ready or, if it is an init container, completed
 * @throws Error when the image needs a program that this lab does not have
 */
export function programOf(container: V1Container, programs: ContainerPrograms): Program | undefined {
    const image = IMAGES[repositoryOf(container.image ?? "")];
    const change = image?.changes?.[container.name];
    if (!image || change?.skip) return undefined;
    const located = (sources: Readonly<Record<string, Source>> = {}) =>
        Object.fromEntries(
            Object.entries(sources).map(([path, source]) => {
                const [name = "", ...part] = source.split("/");
                const file = programs[name as ContainerProgram];
                if (!file) throw new Error(`image ${container.image} needs the program ${name}, which this lab does not have`);
                return [path, [file, ...part].join("/")];
            }),
        );
    const { command, args = [] } = container;
    const entrypoint = command?.length ? command : (image.entrypoint ?? []);
    return {
        args: [...entrypoint, ...args],
        env: image.env ?? {},
        files: located(image.files),
        folders: located(image.folders),
        shared: located(image.shared),
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
