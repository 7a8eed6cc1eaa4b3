import { expect, test } from "vitest";
import {
    cachedEntry,
    directEntry,
    etcdClientFiles,
    kvstoremeshEntry,
    parseClustermesh,
    withCertificates,
} from "../../../core/cilium/clustermesh-config.ts";

const material = Object.fromEntries(Object.values(etcdClientFiles("west")).map((file) => [file, "PEM"]));

test("direct wiring writes the entry of the procedure of 2020, including its file names", () => {
    expect(directEntry("west")).toMatchInlineSnapshot(`
      "endpoints:
        - https://west.mesh.cilium.io:2379
      trusted-ca-file: /var/lib/cilium/clustermesh/west.etcd-client-ca.crt
      key-file: /var/lib/cilium/clustermesh/west.etcd-client.key
      cert-file: /var/lib/cilium/clustermesh/west.etcd-client.crt
      "
    `);
    expect(parseClustermesh({ west: directEntry("west"), ...material }, "east")).toMatchInlineSnapshot(`
      Map {
        "west" => {
          "caFile": "/var/lib/cilium/clustermesh/west.etcd-client-ca.crt",
          "certFile": "/var/lib/cilium/clustermesh/west.etcd-client.crt",
          "endpoints": [
            "https://west.mesh.cilium.io:2379",
          ],
          "hostAliases": [],
          "keyFile": "/var/lib/cilium/clustermesh/west.etcd-client.key",
        },
      }
    `);
});

test("with KVStoreMesh wiring kvstoremesh connects to the peer, and agents to their own cluster's etcd with the mounted certificate", () => {
    expect(kvstoremeshEntry("west", ["10.1.3.10", "10.1.4.10"])).toMatchInlineSnapshot(`
      "endpoints:
        - https://west.mesh.cilium.io:2379
      trusted-ca-file: /var/lib/cilium/clustermesh/west.etcd-client-ca.crt
      key-file: /var/lib/cilium/clustermesh/west.etcd-client.key
      cert-file: /var/lib/cilium/clustermesh/west.etcd-client.crt
      cilium-host-aliases:
        - hostname: west.mesh.cilium.io
          ips:
            - 10.1.3.10
            - 10.1.4.10
      "
    `);
    expect(cachedEntry()).toMatchInlineSnapshot(`
      "endpoints:
        - https://clustermesh-apiserver.kube-system.svc:2379
      trusted-ca-file: /var/lib/cilium/clustermesh/local-etcd-client-ca.crt
      key-file: /var/lib/cilium/clustermesh/local-etcd-client.key
      cert-file: /var/lib/cilium/clustermesh/local-etcd-client.crt
      "
    `);
    expect([...parseClustermesh({ west: cachedEntry() }, "east").keys()]).toEqual(["west"]);
});

test("a cluster ignores the entry with its own name", () => {
    expect(parseClustermesh({ west: directEntry("west") }, "west").size).toBe(0);
});

test.each([
    [
        "a certificate that is not in the Secret",
        { west: directEntry("west") },
        'west: file "/var/lib/cilium/clustermesh/west.etcd-client-ca.crt" must be in the Secret',
    ],
    [
        "a file elsewhere",
        { west: "endpoints: [https://x:2379]\ntrusted-ca-file: /etc/ca\ncert-file: /etc/c\nkey-file: /etc/k\n" },
        'file "/etc/ca" must be in the Secret',
    ],
    ["no endpoint", { west: "endpoints: []\n" }, "west: no endpoints"],
    [
        "etcd without TLS",
        { west: directEntry("west").replace("https", "http"), ...material },
        'endpoint "http://west.mesh.cilium.io:2379" must be an https URL',
    ],
    [
        "an alias without addresses",
        { west: kvstoremeshEntry("west", []), ...material },
        'host alias "west.mesh.cilium.io" has no addresses',
    ],
])("Cilium would refuse %s", (_, files, message) => {
    expect(() => parseClustermesh(files as Record<string, string>, "east")).toThrow(message);
});

test("ignores JSON: Cilium looks for the text 'endpoints:'", () => {
    expect(parseClustermesh({ west: JSON.stringify({ endpoints: ["https://west:2379"] }) }, "east").size).toBe(0);
});

test("an entry changes with the peer's certificates, but Cilium parses the same peer", () => {
    const [old, other] = ["old", "new"].map((ca) => withCertificates(directEntry("west"), { ca, cert: "cert" }));
    expect(withCertificates(directEntry("west"), { ca: "old", cert: "cert" })).toBe(old);
    expect(other).not.toBe(old);
    expect(withCertificates(directEntry("west"), { ca: "old", cert: "other" })).not.toBe(old);
    const read = (entry = "") => parseClustermesh({ west: entry, ...material }, "east").get("west");
    expect(read(old)).toEqual(read(directEntry("west")));
});
