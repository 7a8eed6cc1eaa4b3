import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { addonObjects } from "../../../nodes-real/addons.ts";
import { readLog } from "../../../nodes-real/containers/logs.ts";
import { currentConflist, parseConflist, pluginConfig, pluginEnvironment } from "../../../nodes-real/pods/cni.ts";
import { hostsFile } from "../../../nodes-real/pods/network.ts";
import { writeVolume } from "../../../nodes-real/pods/volume-folder.ts";
import { pod } from "./pod.ts";

const folder = mkdtempSync(join(tmpdir(), "clustermesh-node-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("CNI", () => {
    const list = { cniVersion: "0.4.0", name: "aws-cni", plugins: [{ type: "ptp", mtu: 9001 }, { type: "cilium-cni" }] };

    test("uses the first conflist by name that is complete", async () => {
        const files = join(folder, "net.d");
        expect(await currentConflist(files)).toBeUndefined();
        writeVolume(files, {});
        const write = (name: string, text: string) => writeFileSync(join(files, name), text);
        write("10-aws.conflist", JSON.stringify(list));
        write("05-half.conflist", '{"name":"half"');
        write(".00-hidden.conflist", JSON.stringify({ ...list, name: "hidden" }));
        expect((await currentConflist(files))?.name).toBe("aws-cni");
        write("05-cilium.conflist", JSON.stringify({ ...list, name: "cilium" }));
        expect((await currentConflist(files))?.name).toBe("cilium");
    });

    test("rejects a conflist without a name or plugins", () => {
        expect(parseConflist('{"name":"a","plugins":[]}')).toBeUndefined();
        expect(parseConflist('{"name":"a","plugins":[{"type":"p"}]}')).toMatchObject({ cniVersion: "0.4.0" });
    });

    test("passes a plugin its configuration and the previous result", () => {
        expect(pluginConfig(list, list.plugins[0] ?? { type: "" }, undefined)).toEqual({
            type: "ptp",
            mtu: 9001,
            cniVersion: "0.4.0",
            name: "aws-cni",
        });
        expect(pluginConfig(list, { type: "cilium-cni" }, { ips: [] })).toMatchObject({ prevResult: { ips: [] } });
        const attachment = { containerId: "u-1", network: "/run/netns/u-1", namespace: "web", name: "web-0", uid: "u-1" };
        expect(pluginEnvironment("ADD", "/bin", attachment)).toMatchObject({
            CNI_COMMAND: "ADD",
            CNI_NETNS: "/run/netns/u-1",
            CNI_ARGS: expect.stringContaining("K8S_POD_NAME=web-0"),
        });
    });
});

test("the hosts file has the pod's name and its host aliases", () => {
    const hostAliases = [{ ip: "10.2.0.16", hostnames: ["west.mesh.cilium.io"] }];
    const place = { podAddress: "10.0.1.5", nodeName: "node-1" };
    expect(hostsFile(pod({ hostAliases }), place)).toMatch(/\n10\.0\.1\.5\tweb-0\n(.*\n)*10\.2\.0\.16\twest\.mesh\.cilium\.io\n$/);
    expect(hostsFile(pod({ hostNetwork: true }), place)).toMatch(/\n10\.0\.1\.5\tnode-1\n$/);
});

test.each([
    [{}, "one\ntwo\nthree\n"],
    [{ tailLines: 2 }, "two\nthree\n"],
    [{ tailLines: 9 }, "one\ntwo\nthree\n"],
    [{ tailLines: 0 }, ""],
    [{ limitBytes: 5 }, "one\nt"],
])("reads the log with %j", async (options, text) => {
    const file = join(folder, "log");
    writeFileSync(file, "one\ntwo\nthree\n");
    const read: Buffer[] = [];
    for await (const chunk of readLog(file, { ...options, signal: new AbortController().signal })) read.push(chunk);
    expect(Buffer.concat(read).toString()).toBe(text);
});

test("creates the objects of EKS add-ons", () => {
    const addon = { account: "1", region: "eu-west-1", cluster: "east", version: "v1.20.4-eksbuild.1", configurationValues: undefined };
    const names = (name: string) =>
        addonObjects({ ...addon, name }, { serviceCidr: "172.20.0.0/16", apiAddresses: ["10.0.1.9"] }).map(
            ({ kind, metadata }) => `${kind} ${metadata?.name}`,
        );
    expect(names("vpc-cni")).toContain("DaemonSet aws-node");
    expect(names("kube-proxy")).toEqual(expect.arrayContaining(["ConfigMap kube-proxy-config", "DaemonSet kube-proxy"]));
    expect(names("coredns")).toEqual(expect.arrayContaining(["Deployment coredns", "Service kube-dns"]));
    expect(names("aws-ebs-csi-driver")).toEqual([]);
});
