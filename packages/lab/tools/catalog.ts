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

/** What Cilium's images hold, each called as there, but the operator: a stand-in is. So is the subcommand `clustermesh` of clustermesh-apiserver. */
export type CiliumTool = "cilium-agent" | "cilium-dbg" | "cilium-health" | "cilium-cni" | "clustermesh-apiserver" | "simulated-operator";

/** A Go module in a folder beside this file; its go.mod and go.sum pin what is built. */
export interface ToolModule {
    /** The folder's name. */
    name: string;
    tools: readonly ToolName[];
    /** What `go build` is given: the module's `tool` lines, or the main package in its folder. */
    build: "tool" | ".";
    /** Go's build tags. */
    tags?: readonly string[];
    /** Programs that their project's releases call otherwise than Go does, which takes the name of the main package's folder: from Go's name. */
    renamed?: Readonly<Record<string, ToolName>>;
    /** Go variables that the project's own release build sets, by their full name. */
    variables: Readonly<Record<string, string>>;
    /**
     * Processor time of a cold build, all cores together, measured one module after another: each found in Go's cache what those before had left.
     * Pulumi's has an allowance, since another build did part of it.
     */
    cpuSeconds: number;
}

const KUBERNETES = "v1.36.3";

/** Longest first, so that the last build is a short one. */
export const MODULES: readonly ToolModule[] = [
    {
        name: "kubernetes",
        tools: ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl", "agnhost"],
        build: "tool",
        // Without a version of its own, Helm refuses the API server ("chart requires kubeVersion") and clients cannot parse it.
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
        // As Cilium's own Makefiles.
        tags: ["osusergo"],
        renamed: { daemon: "cilium-agent" },
        // Version, revision and date, in the form without which Cilium takes the version for unknown.
        variables: { "github.com/cilium/cilium/pkg/version.ciliumVersion": "1.20.2 v1.20.2 2026-09-15T20:03:11Z" },
        cpuSeconds: 450,
    },
    {
        name: "pulumi",
        tools: ["pulumi"],
        build: "tool",
        // The Automation API refuses a CLI whose version it cannot parse.
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

/** How a program on the PATH shows that it will do: it prints a version in the range. */
export interface Requirement {
    args: readonly string[];
    /** A semver range. */
    range: string;
}

/**
 * The language host prints no version: it is taken from beside a usable `pulumi`, as Pulumi's releases lay it. Always built are Cilium's programs,
 * which must be of the chart's very version, the lab's own netd, and agnhost, which prints none.
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
