import type { V1Container } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { environment, expand } from "../../../nodes-real/containers/environment.ts";
import { type ContainerPrograms, programOf, repositoryOf } from "../../../nodes-real/containers/images.ts";
import { lookup, pod } from "./pod.ts";

const surroundings = {
    nodeAddress: "10.0.1.5",
    podAddress: "10.0.1.82",
    allocatable: { cpu: "4", memory: "16Gi" },
    apiServer: { host: "172.20.0.1", port: 443 },
};
describe("images", () => {
    test.each([
        ["quay.io/cilium/cilium:v1.20.2@sha256:abc", "cilium/cilium"],
        ["602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.36.0-eksbuild.2", "eks/kube-proxy"],
        ["localhost/busybox", "busybox"],
        ["busybox:1.36", "busybox"],
        ["docker.io/library/busybox", "busybox"],
        ["registry.k8s.io:5000/e2e-test-images/agnhost", "e2e-test-images/agnhost"],
    ])("the repository of %s is %s", (image, repository) => expect(repositoryOf(image)).toBe(repository));

    const programs: ContainerPrograms = {
        agnhost: "/cache/agnhost",
        "cilium-agent": "/cache/cilium-agent",
        "cilium-cni": "/cache/cilium-cni",
        "cilium-dbg": "/cache/cilium-dbg",
        "cilium-health": "/cache/cilium-health",
        "cached-clang": "/cache/cached-clang",
        "clang-objects": "/cache/objects",
        "cilium-sources": "/cache/sources",
    };
    const agnhost: V1Container = { name: "c", image: "registry.k8s.io/e2e-test-images/agnhost:2.53", args: ["netexec"] };

    test("arguments follow the image's entrypoint, and a command replaces it", () => {
        expect(programOf(agnhost, programs)).toMatchObject({ args: ["/agnhost", "netexec"], files: { "/agnhost": "/cache/agnhost" } });
        expect(programOf({ ...agnhost, command: ["/agnhost", "connect"], args: undefined }, programs)?.args).toEqual([
            "/agnhost",
            "connect",
        ]);
    });

    test("unknown images and skipped containers run no program", () => {
        expect(programOf({ name: "dns", image: "eks/coredns:v1" }, programs)).toBeUndefined();
        expect(programOf({ name: "mount-cgroup", image: "quay.io/cilium/cilium:v1.20.2", command: ["bash"] }, programs)).toBeUndefined();
    });

    test("mounts the agent's programs and sources where its image has them", () => {
        const agent = programOf({ name: "cilium-agent", image: "quay.io/cilium/cilium:v1.20.2", command: ["cilium-agent"] }, programs);
        expect(agent?.folders).toEqual({ "/var/lib/cilium/bpf": "/cache/sources/bpf" });
        expect(agent?.files).toMatchObject({ "/usr/bin/cilium-agent": "/cache/cilium-agent" });
        expect(agent?.files[`${agent?.path[0]}/clang`]).toBe("/cache/cached-clang");
        expect(agent?.shared).toEqual({ "/var/cache/clang": "/cache/objects" });
    });

    test("names a program that the lab does not have", () => {
        expect(() => programOf(agnhost, {})).toThrow("image registry.k8s.io/e2e-test-images/agnhost:2.53 needs the program agnhost");
    });
});

describe("environment", () => {
    const container: V1Container = {
        name: "c",
        resources: { limits: { memory: "1Gi" } },
        envFrom: [{ configMapRef: { name: "settings" }, prefix: "SET_" }, { secretRef: { name: "none", optional: true } }],
        env: [
            { name: "PLAIN", value: "a" },
            { name: "BUILT", value: "$(PLAIN)-$(SET_color)-$(UNKNOWN)-$$(PLAIN)" },
            { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
            { name: "LABEL", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
            { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
            { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
            { name: "KEY", valueFrom: { secretKeyRef: { name: "key", key: "tls.key" } } },
            { name: "NONE", valueFrom: { configMapKeyRef: { name: "settings", key: "none", optional: true } } },
        ],
    };

    test("is the one that the kubelet builds", () => {
        const variables = environment(container, pod(), lookup, surroundings);
        expect(variables).toMatchObject({
            KUBERNETES_SERVICE_HOST: "172.20.0.1",
            KUBERNETES_SERVICE_PORT: "443",
            SET_color: "blue",
            BUILT: "a-blue-$(UNKNOWN)-$(PLAIN)",
            NODE: "node-1",
            LABEL: "web",
            IP: "10.0.1.82",
            MEMORY: "1024",
            CPU: "4",
            KEY: "k",
        });
        expect(variables).not.toHaveProperty("NONE");
    });

    test.each([
        [{ secretKeyRef: { name: "gone", key: "a" } }, 'secret "gone" not found'],
        [{ configMapKeyRef: { name: "settings", key: "gone" } }, "couldn't find key gone in configMap settings"],
        [{ fieldRef: { fieldPath: "status.phase" } }, "field status.phase not supported by the lab's kubelet"],
    ])("reports what is missing for %j", (valueFrom, message) => {
        expect(() => environment({ name: "c", env: [{ name: "A", valueFrom }] }, pod(), lookup, surroundings)).toThrow(message);
    });

    test("expands variables in arguments", () => expect(expand("--a=$(A) $$", { A: "1" })).toBe("--a=1 $"));
});
