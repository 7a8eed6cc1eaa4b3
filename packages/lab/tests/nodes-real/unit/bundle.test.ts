import type { V1Container } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { type BundleInput, bundle, processOf } from "../../../nodes-real/containers/bundle.ts";
import { capabilitiesIn, capabilitiesOf } from "../../../nodes-real/containers/capabilities.ts";
import { pod } from "./pod.ts";

describe("bundles", () => {
    const container: V1Container = { name: "c", image: "busybox", volumeMounts: [{ name: "data", mountPath: "/data", readOnly: true }] };
    const input = (over: Partial<BundleInput> = {}): BundleInput => ({
        pod: pod(),
        container,
        program: {
            args: ["run", "$(A)"],
            env: { OF: "image" },
            files: { "/bin/run": "/cache/run" },
            folders: { "/lib/own": "/cache/own" },
            shared: { "/var/cache/own": "/cache/shared" },
            path: ["/opt/own"],
        },
        environment: { A: "1" },
        rootfs: "/pods/c/rootfs",
        layer: "/layers/c",
        volumes: { data: "/pods/data" },
        files: { "/etc/hosts": "/pods/hosts" },
        cache: "/cache",
        path: ["/cache/bin"],
        available: new Set(["NET_RAW", "CHOWN"]),
        network: "/run/netns/u-1",
        ...over,
    });
    const namespaces = (config: ReturnType<typeof bundle>) =>
        config.linux.namespaces.map(({ type, path }) => (path ? `${type} ${path}` : type));
    const mount = (config: ReturnType<typeof bundle>, path: string) => config.mounts.find(({ destination }) => destination === path);

    test("uses the pod's network namespace or the node's", () => {
        expect(namespaces(bundle(input()))).toEqual(["pid", "mount", "ipc", "uts", "network /run/netns/u-1"]);
        expect(namespaces(bundle(input({ pod: pod({ hostNetwork: true, hostPID: true }), network: undefined })))).toEqual(["mount", "ipc"]);
        expect(bundle(input()).hostname).toBe("web-0");
    });

    test("requests only capabilities that the machine can grant", () => {
        expect(processOf(input()).capabilities.bounding).toEqual(["CAP_CHOWN", "CAP_NET_RAW"]);
    });

    test("the machine's /proc/sys is read-only, also for privileged containers", () => {
        const privileged = { ...container, securityContext: { privileged: true } };
        for (const each of [container, privileged])
            expect(bundle(input({ container: each })).linux.readonlyPaths).toContain("/proc/sys/kernel");
    });

    test("sets arguments, environment and user", () => {
        const securityContext = { runAsUser: 65532, runAsGroup: 7, fsGroup: 9 };
        const process = processOf(input({ pod: pod({ securityContext }) }));
        expect(process.args).toEqual(["run", "1"]);
        expect(process.env).toEqual(expect.arrayContaining(["A=1", "OF=image", "HOME=/", "HOSTNAME=web-0"]));
        expect(process.env[0]).toMatch(/^PATH=\/opt\/own:\/cache\/bin:/);
        expect(process.user).toEqual({ uid: 65532, gid: 7, additionalGids: [9] });
        expect(processOf(input(), ["other"]).args).toEqual(["other"]);
    });

    test("mounts volumes, the image's files and the kubelet's files", () => {
        const config = bundle(input());
        expect(mount(config, "/data")).toEqual({
            destination: "/data",
            type: "bind",
            source: "/pods/data",
            options: ["rbind", "ro", "rprivate"],
        });
        expect(mount(config, "/bin/run")?.options).toContain("ro");
        expect(mount(config, "/etc/hosts")?.source).toBe("/pods/hosts");
        expect(mount(config, "/lib/own")?.options).toContain("upperdir=/layers/c/folder0/upper");
    });

    test("orders a nested mount after the mount that contains it", () => {
        const volumeMounts = ["/a/b/c", "/a", "/a/b"].map((mountPath) => ({
            name: "data",
            mountPath,
            mountPropagation: "HostToContainer",
        }));
        const paths = bundle(input({ container: { ...container, volumeMounts } })).mounts.filter(({ source }) => source === "/pods/data");
        expect(paths.map(({ destination }) => destination)).toEqual(["/a", "/a/b", "/a/b/c"]);
        expect(paths[0]?.options).toContain("rslave");
    });

    test("names a volume that the pod does not have", () => {
        expect(() => bundle(input({ volumes: {} }))).toThrow("container c mounts volume data, which the pod does not have");
    });

    test.each([
        [{}, ["CHOWN", "NET_RAW"], ["NET_ADMIN"]],
        [{ capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } }, ["NET_ADMIN"], ["CHOWN"]],
        [{ capabilities: { drop: ["CAP_CHOWN"] } }, ["NET_RAW"], ["CHOWN"]],
        [{ capabilities: { add: ["ALL"], drop: ["SYS_TIME"] } }, ["SYS_ADMIN"], ["SYS_TIME"]],
        [{ privileged: true }, ["SYS_ADMIN", "BPF"], []],
    ])("derives the capabilities of %j", (securityContext, has, lacks) => {
        const capabilities = capabilitiesOf({ name: "c", securityContext });
        expect(capabilities).toEqual(expect.arrayContaining(has));
        for (const capability of lacks) expect(capabilities).not.toContain(capability);
    });

    test("reads the capabilities of a process", () => {
        const granted = capabilitiesIn("Name:\tx\nCapBnd:\t000001fffeffffff\n");
        expect([granted.has("CHOWN"), granted.has("SYS_RESOURCE"), granted.has("CHECKPOINT_RESTORE")]).toEqual([true, false, true]);
    });
});
