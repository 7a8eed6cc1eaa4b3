/** A program that the lab runs. */
export type ToolName =
    | "pulumi"
    | "pulumi-language-nodejs"
    | "kube-apiserver"
    | "kube-controller-manager"
    | "kube-scheduler"
    | "kube-proxy"
    | "kubectl"
    | "agnhost"
    | "kwok"
    | "etcd"
    | "helm"
    | "netd"
    | CiliumTool;

/**
 * Programs of Cilium's images, under their names there. The operator is a stand-in, and so is the subcommand `clustermesh` of
 * clustermesh-apiserver.
 */
export type CiliumTool = "cilium-agent" | "cilium-dbg" | "cilium-health" | "cilium-cni" | "clustermesh-apiserver" | "simulated-operator";

/** A Go module in a folder beside this file. Its go.mod and go.sum pin what is built. */
export interface ToolModule {
    /** The folder's name. */
    name: string;
    tools: readonly ToolName[];
    /** What `go build` builds: the module's `tool` lines, or the main package in its folder. */
    build: "tool" | ".";
    /** Go's build tags. */
    tags?: readonly string[];
    /**
     * New names of programs by the names that Go gives them. Go names a program after its main package's folder; releases may use another
     * name.
     */
    renamed?: Readonly<Record<string, ToolName>>;
    /** Go variables that the project's release build sets, by full name. */
    variables: Readonly<Record<string, string>>;
    /**
     * Processor time of a cold build in seconds, all cores together. Measured one module after another, so each found packages of the
     * earlier ones in Go's cache. Pulumi's includes an allowance: another build had compiled a part of it.
     */
    cpuSeconds: number;
}

const KUBERNETES = "v1.36.3";

/** Longest first, so that the last build is short. */
export const MODULES: readonly ToolModule[] = [
    {
        name: "kubernetes",
        tools: ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl", "agnhost"],
        build: "tool",
        // Without a version, Helm rejects the API server ("chart requires kubeVersion") and clients cannot parse the version.
        variables: {
            "k8s.io/component-base/version.gitVersion": KUBERNETES,
            "k8s.io/component-base/version.gitMajor": "1",
            "k8s.io/component-base/version.gitMinor": "36",
            "k8s.io/component-base/version.gitTreeState": "clean",
        },
        cpuSeconds: 1230,
    },
    {
        name: "cilium",
        tools: ["cilium-agent", "cilium-dbg", "cilium-health", "cilium-cni", "clustermesh-apiserver", "simulated-operator"],
        build: "tool",
        // As in Cilium's Makefiles.
        tags: ["osusergo"],
        renamed: { daemon: "cilium-agent" },
        // Version, revision and date; in any other form, Cilium reports an unknown version.
        variables: { "github.com/cilium/cilium/pkg/version.ciliumVersion": "1.20.2 v1.20.2 2026-09-15T20:03:11Z" },
        cpuSeconds: 450,
    },
    {
        name: "pulumi",
        tools: ["pulumi"],
        build: "tool",
        // The Automation API rejects a CLI whose version it cannot parse.
        variables: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "v3.153.1" },
        cpuSeconds: 450,
    },
    {
        name: "helm",
        tools: ["helm"],
        build: "tool",
        variables: { "helm.sh/helm/v3/internal/version.version": "v3.22.0" },
        cpuSeconds: 370,
    },
    { name: "kwok", tools: ["kwok"], build: "tool", variables: {}, cpuSeconds: 400 },
    { name: "etcd", tools: ["etcd"], build: ".", variables: {}, cpuSeconds: 200 },
    { name: "netd", tools: ["netd"], build: ".", variables: {}, cpuSeconds: 5 },
    {
        name: "pulumi-language-nodejs",
        tools: ["pulumi-language-nodejs"],
        build: "tool",
        variables: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "v3.68.0" },
        cpuSeconds: 80,
    },
];

/** Condition for a program on the PATH: the version that it prints is in the range. */
export interface Requirement {
    args: readonly string[];
    /** A semver range. */
    range: string;
}

/**
 * Programs that may come from the PATH. The language host prints no version: it is taken from the folder of a usable `pulumi`, where
 * Pulumi's releases put it. Always built are Cilium's programs, which must have the chart's exact version, the lab's own netd, and agnhost,
 * which prints no version.
 */
export const ON_PATH: Readonly<Record<Exclude<ToolName, "pulumi-language-nodejs" | "agnhost" | "netd" | CiliumTool>, Requirement>> = {
    pulumi: { args: ["version"], range: ">=3.153.1 <4" },
    "kube-apiserver": { args: ["--version"], range: "~1.36.0" },
    "kube-controller-manager": { args: ["--version"], range: "~1.36.0" },
    "kube-scheduler": { args: ["--version"], range: "~1.36.0" },
    "kube-proxy": { args: ["--version"], range: "~1.36.0" },
    kubectl: { args: ["version", "--client"], range: ">=1.28.0 <2" },
    kwok: { args: ["--version"], range: "~0.8.0" },
    etcd: { args: ["--version"], range: ">=3.6.0 <4" },
    helm: { args: ["version", "--short"], range: ">=3.14.0 <4" },
};
