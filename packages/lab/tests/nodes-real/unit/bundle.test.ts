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
    const namespaces = (made: ReturnType<typeof bundle>) =>
        made.linux.namespaces.map(({ type, path }) => (path ? `${type} ${path}` : type));
    const mount = (made: ReturnType<typeof bundle>, path: string) => made.mounts.find(({ destination }) => destination === path);

    test("a pod's own network, or the node's", () => {
        expect(namespaces(bundle(input()))).toEqual(["pid", "mount", "ipc", "uts", "network /run/netns/u-1"]);
        expect(namespaces(bundle(input({ pod: pod({ hostNetwork: true, hostPID: true }), network: undefined })))).toEqual(["mount", "ipc"]);
        expect(bundle(input()).hostname).toBe("web-0");
    });

    test("only what the machine has to give is asked for", () => {
        expect(processOf(input()).capabilities.bounding).toEqual(["CAP_CHOWN", "CAP_NET_RAW"]);
    });

    test("whoever is in a container does not write to the machine's /proc/sys", () => {
        const privileged = { ...container, securityContext: { privileged: true } };
        for (const one of [container, privileged])
            expect(bundle(input({ container: one })).linux.readonlyPaths).toContain("/proc/sys/kernel");
    });

    test("arguments, environment and user", () => {
        const securityContext = { runAsUser: 65532, runAsGroup: 7, fsGroup: 9 };
        const made = processOf(input({ pod: pod({ securityContext }) }));
        expect(made.args).toEqual(["run", "1"]);
        expect(made.env).toEqual(expect.arrayContaining(["A=1", "OF=image", "HOME=/", "HOSTNAME=web-0"]));
        expect(made.env[0]).toMatch(/^PATH=\/opt\/own:\/cache\/bin:/);
        expect(made.user).toEqual({ uid: 65532, gid: 7, additionalGids: [9] });
        expect(processOf(input(), ["other"]).args).toEqual(["other"]);
    });

    test("volumes, the image's files and the kubelet's", () => {
        const made = bundle(input());
        expect(mount(made, "/data")).toEqual({
            destination: "/data",
            type: "bind",
            source: "/pods/data",
            options: ["rbind", "ro", "rprivate"],
        });
        expect(mount(made, "/bin/run")?.options).toContain("ro");
        expect(mount(made, "/etc/hosts")?.source).toBe("/pods/hosts");
        expect(mount(made, "/lib/own")?.options).toContain("upperdir=/layers/c/folder0/upper");
    });

    test("a mount in another one comes after it", () => {
        const volumeMounts = ["/a/b/c", "/a", "/a/b"].map((mountPath) => ({
            name: "data",
            mountPath,
            mountPropagation: "HostToContainer",
        }));
        const paths = bundle(input({ container: { ...container, volumeMounts } })).mounts.filter(({ source }) => source === "/pods/data");
        expect(paths.map(({ destination }) => destination)).toEqual(["/a", "/a/b", "/a/b/c"]);
        expect(paths[0]?.options).toContain("rslave");
    });

    test("a volume that is not there is named", () => {
        expect(() => bundle(input({ volumes: {} }))).toThrow("container c mounts data, which is no volume of the pod");
    });

    test.each([
        [{}, ["CHOWN", "NET_RAW"], ["NET_ADMIN"]],
        [{ capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } }, ["NET_ADMIN"], ["CHOWN"]],
        [{ capabilities: { drop: ["CAP_CHOWN"] } }, ["NET_RAW"], ["CHOWN"]],
        [{ capabilities: { add: ["ALL"], drop: ["SYS_TIME"] } }, ["SYS_ADMIN"], ["SYS_TIME"]],
        [{ privileged: true }, ["SYS_ADMIN", "BPF"], []],
    ])("capabilities of %j", (securityContext, has, lacks) => {
        const made = capabilitiesOf({ name: "c", securityContext });
        expect(made).toEqual(expect.arrayContaining(has));
        for (const one of lacks) expect(made).not.toContain(one);
    });

    test("the machine's capabilities", () => {
        const some = capabilitiesIn("Name:\tx\nCapBnd:\t000001fffeffffff\n");
        expect([some.has("CHOWN"), some.has("SYS_RESOURCE"), some.has("CHECKPOINT_RESTORE")]).toEqual([true, false, true]);
    });
});
