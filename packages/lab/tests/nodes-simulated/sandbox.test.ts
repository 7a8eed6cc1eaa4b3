import { execFile } from "node:child_process";
import { chmod, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { whyNoSandbox } from "../../nodes-simulated/sandbox.ts";
import { ensureTools } from "../../tools/tools.ts";
import { whyNoGo } from "../harness.ts";

const run = promisify(execFile);
const NOBODY = "65534";

afterEach(() => vi.unstubAllEnvs());

/**
 * Opens a sandbox and runs the first steps of clustermesh-apiserver's pod in it: etcdinit, then etcd. Prints etcd's response to a request
 * through a socket.
 */
const SCRIPT = `
const [netd, etcd, apiserver, folder, lab] = process.argv.slice(2);
const { openSandbox, whyNoSandbox } = await import(lab + "/nodes-simulated/sandbox.ts");
const { until } = await import(lab + "/process/until.ts");
const { request } = await import("node:http");
const { mkdirSync, writeFileSync } = await import("node:fs");
const why = await whyNoSandbox();
if (why) { console.log(JSON.stringify({ why })); process.exit(0); }
mkdirSync(folder + "/data", { recursive: true });
writeFileSync(folder + "/hosts", "127.0.0.1 localhost\\n10.0.0.7 west.mesh.cilium.io\\n");
const sandbox = await openSandbox(netd, folder, console.error);
const files = { "/usr/bin/etcd": etcd, "/usr/bin/clustermesh-apiserver": apiserver, "/var/run/etcd": folder + "/data", "/etc/hosts": folder + "/hosts" };
const env = { CILIUM_CLUSTER_NAME: "west" };
await sandbox.run({ files, env, args: ["/usr/bin/clustermesh-apiserver", "etcdinit", "--etcd-data-dir=/var/run/etcd"] });
const started = sandbox.start("etcd", { files, env, args: ["/usr/bin/etcd", "--data-dir=/var/run/etcd", "--listen-client-urls=http://10.0.0.7:2379", "--advertise-client-urls=http://10.0.0.7:2379"] });
await sandbox.relay(new Map([["etcd", { listen: folder + "/etcd.sock", to: "10.0.0.7:2379" }]]));
const ask = () => new Promise((resolve, reject) => {
    request({ socketPath: folder + "/etcd.sock", path: "/version" }, (response) => response.on("data", (data) => resolve(data.toString()))).on("error", reject).end();
});
console.log(JSON.stringify({ uid: process.getuid(), version: await until(ask, 30_000, "etcd does not respond") }));
await started.stop();
await sandbox.close();
`;

test("a user who is not root runs Cilium's etcd on addresses of a VPC", { timeout: 900_000 }, async ({ skip }) => {
    const missing = await whyNoGo();
    skip(missing !== undefined, missing);
    skip(process.geteuid?.() !== 0, "this user is not root: every test of the mesh's client covers it");
    const tools = await ensureTools(["netd", "etcd", "clustermesh-apiserver"]);
    const folder = await mkdtemp(join(tmpdir(), "clustermesh-nobody-"));
    try {
        // The cache of programs and this source tree may be unreadable for other users.
        await Promise.all(Object.entries(tools).map(([name, file]) => cp(file, join(folder, name))));
        await cp(process.execPath, join(folder, "node"));
        await cp(resolve(import.meta.dirname, "../.."), join(folder, "lab"), {
            recursive: true,
            filter: (path) => !/\/lab\/(tools|tests|node_modules)$/.test(path),
        });
        await writeFile(join(folder, "script.ts"), SCRIPT);
        await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
        await chmod(folder, 0o777);
        const programs = (Object.keys(tools) as (keyof typeof tools)[]).map((name) => join(folder, name));
        const args = [
            "--reuid",
            NOBODY,
            "--regid",
            NOBODY,
            "--clear-groups",
            "--inh-caps=-all",
            join(folder, "node"),
            join(folder, "script.ts"),
        ];
        const { stdout } = await run("setpriv", [...args, ...programs, join(folder, "own"), join(folder, "lab")], { cwd: folder });
        const { why, uid, version } = JSON.parse(stdout);
        skip(why !== undefined, why);
        expect(uid).toBe(Number(NOBODY));
        expect(JSON.parse(version)).toMatchObject({ etcdserver: expect.stringMatching(/^3\./) });
    } finally {
        await rm(folder, { recursive: true, force: true });
    }
});

test("says why, if user namespaces are not allowed", async () => {
    const bin = await mkdtemp(join(tmpdir(), "clustermesh-bin-"));
    await writeFile(join(bin, "unshare"), "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n", {
        mode: 0o755,
    });
    vi.stubEnv("PATH", bin);
    expect(await whyNoSandbox()).toMatch(
        /^this user may not create user namespaces, .*: unshare: unshare failed: Operation not permitted$/,
    );
    await rm(bin, { recursive: true });
    expect(await whyNoSandbox()).toContain("ENOENT");
});
