/** A program that the lab runs. */
export type ToolName =
    | "pulumi"
    | "pulumi-language-nodejs"
    | "kube-apiserver"
    | "kube-controller-manager"
    | "kube-scheduler"
    | "kwok"
    | "etcd"
    | "helm";

/** A Go module in a folder beside this file; its go.mod and go.sum pin what is built. */
export interface ToolModule {
    /** The folder's name. */
    name: string;
    tools: readonly ToolName[];
    /** What `go build` is given: the module's `tool` lines, or the main package in its folder. */
    build: "tool" | ".";
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
        tools: ["kube-apiserver", "kube-controller-manager", "kube-scheduler"],
        build: "tool",
        // Without a version of its own, Helm refuses the API server ("chart requires kubeVersion") and clients cannot parse it.
        variables: {
            "k8s.io/component-base/version.gitVersion": KUBERNETES,
            "k8s.io/component-base/version.gitMajor": "1",
            "k8s.io/component-base/version.gitMinor": "36",
            "k8s.io/component-base/version.gitTreeState": "clean",
        },
        cpuSeconds: 1180,
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

/** The language host prints no version: it is taken from beside a usable `pulumi`, as Pulumi's releases lay it. */
export const ON_PATH: Readonly<Record<Exclude<ToolName, "pulumi-language-nodejs">, Requirement>> = {
    pulumi: { args: ["version"], range: ">=3.153.1 <4" },
    "kube-apiserver": { args: ["--version"], range: "~1.36.0" },
    "kube-controller-manager": { args: ["--version"], range: "~1.36.0" },
    "kube-scheduler": { args: ["--version"], range: "~1.36.0" },
    kwok: { args: ["--version"], range: "~0.8.0" },
    etcd: { args: ["--version"], range: ">=3.6.0 <4" },
    helm: { args: ["version", "--short"], range: ">=3.14.0 <4" },
};
