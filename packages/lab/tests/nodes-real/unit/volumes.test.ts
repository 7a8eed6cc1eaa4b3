import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { resolveHostPath } from "../../../nodes-real/pods/host-path.ts";
import { objectsOf, tokensOf, volumeFiles } from "../../../nodes-real/pods/volume-files.ts";
import { writeVolume } from "../../../nodes-real/pods/volume-folder.ts";
import { lookup, pod } from "./pod.ts";

const folder = mkdtempSync(join(tmpdir(), "clustermesh-node-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("volumes", () => {
    const sources = { ...lookup, nodeAddress: "10.0.1.5", podAddress: "", token: () => "t" };
    const text = (files: ReturnType<typeof volumeFiles>) =>
        Object.fromEntries(Object.entries(files ?? {}).map(([path, { data, mode }]) => [path, `${data} ${mode.toString(8)}`]));

    test.each([
        [{ secret: { secretName: "key", defaultMode: 0o400 } }, { "tls.key": "k 400", "ca.crt": "c 400" }],
        [{ secret: { secretName: "key", items: [{ key: "tls.key", path: "a/b", mode: 0o600 }] } }, { "a/b": "k 600" }],
        [{ secret: { secretName: "gone", optional: true } }, {}],
        [{ configMap: { name: "settings" } }, { color: "blue 644" }],
        [{ downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } }, { labels: 'a="1"\napp="web" 644' }],
        [
            {
                projected: {
                    sources: [
                        { secret: { name: "key", items: [{ key: "ca.crt", path: "own" }] } },
                        { secret: { name: "gone", optional: true } },
                        { serviceAccountToken: { path: "token" } },
                    ],
                },
            },
            { own: "c 644", token: "t 644" },
        ],
    ])("writes the files of %j", (volume, files) => expect(text(volumeFiles({ name: "v", ...volume }, pod(), sources))).toEqual(files));

    test("an emptyDir has no files of API objects", () => {
        expect(volumeFiles({ name: "v", emptyDir: {} }, pod(), sources)).toBeUndefined();
    });

    test.each([
        [{ secret: { secretName: "gone" } }, 'secret "gone" not found'],
        [{ configMap: { name: "settings", items: [{ key: "gone", path: "a" }] } }, "configMap settings has no key gone"],
    ])("reports what is missing for %j", (volume, message) => {
        expect(() => volumeFiles({ name: "v", ...volume }, pod(), sources)).toThrow(message);
    });

    test("a token belongs to the pod's user if it sets one", () => {
        const volume = { name: "v", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } };
        const withUser = pod({ securityContext: { runAsUser: 65532 }, volumes: [volume] });
        expect(volumeFiles(volume, withUser, sources)?.token).toMatchObject({ mode: 0o600, uid: 65532 });
        expect(tokensOf(withUser)).toEqual([{ expirationSeconds: 3600 }]);
    });

    test("lists the Secrets and ConfigMaps of a pod's volumes", () => {
        const projected = { sources: [{ configMap: { name: "a" } }, { secret: { name: "b" } }] };
        const volumes = [
            { name: "p", projected },
            { name: "s", secret: { secretName: "c" } },
            { name: "e", emptyDir: {} },
        ];
        expect([...objectsOf(pod({ volumes }))].sort()).toEqual(["configMap/a", "secret/b", "secret/c"]);
    });

    test("replaces all files in one step and deletes the others", () => {
        const volume = join(folder, "volume");
        const file = (data: string, mode = 0o644) => ({ data: Buffer.from(data), mode });
        expect(writeVolume(volume, { a: file("1"), "b/c": file("2", 0o400) })).toBe(true);
        const before = readlinkSync(join(volume, "..data"));
        expect(readFileSync(join(volume, "b/c"), "utf8")).toBe("2");
        expect(statSync(join(volume, "b/c")).mode & 0o777).toBe(0o400);
        expect(writeVolume(volume, { a: file("1"), "b/c": file("2", 0o400) })).toBe(false);
        expect(writeVolume(volume, { a: file("3") })).toBe(true);
        expect(readFileSync(join(volume, "a"), "utf8")).toBe("3");
        expect(readlinkSync(join(volume, "a"))).toBe("..data/a");
        const after = readlinkSync(join(volume, "..data"));
        expect(after).not.toBe(before);
        expect(readdirSync(volume).sort()).toEqual([after, "..data", "a"].sort());
    });

    test.skipIf(process.getuid?.() !== 0)("the pod's group may read the files", () => {
        writeVolume(join(folder, "grouped"), { a: { data: Buffer.from("1"), mode: 0o400 } }, 65532);
        const { mode, gid } = statSync(join(folder, "grouped", "a"));
        expect([mode & 0o777, gid]).toEqual([0o440, 65532]);
    });

    test.each([
        ["/var/run/cilium", "/run/cilium", "/n/host/run/cilium"],
        ["/etc/cni/net.d/", "/n/host/etc/cni/net.d/", "/n/host/etc/cni/net.d/"],
        ["/var/runner", "/n/host/var/runner", "/n/host/var/runner"],
        ["/run/../etc", "/n/host/etc", "/n/host/etc"],
        ["/proc/sys/net", "/proc/sys/net", undefined],
        ["/sys/fs/bpf", "/sys/fs/bpf", undefined],
    ])("resolves hostPath %s to the node, not the machine", (path, nodePath, machinePath) =>
        expect(resolveHostPath("/n", path)).toEqual({ nodePath, machinePath }),
    );
});
