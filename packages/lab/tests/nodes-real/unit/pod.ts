import type { V1Pod } from "@kubernetes/client-node";
import type { Lookup } from "../../../nodes-real/containers/environment.ts";

/** A pod on a node. @param spec is added to its spec */
export const pod = (spec: Partial<V1Pod["spec"]> = {}): V1Pod => ({
    metadata: { name: "web-0", namespace: "web", uid: "u-1", labels: { app: "web", a: "1" } },
    spec: { nodeName: "node-1", serviceAccountName: "web", containers: [], ...spec },
});

/** A Secret and a ConfigMap in the pod's namespace. */
export const lookup: Lookup = {
    secret: (namespace, name) =>
        namespace === "web" && name === "key" ? { "tls.key": Buffer.from("k"), "ca.crt": Buffer.from("c") } : undefined,
    configMap: (namespace, name) => (namespace === "web" && name === "settings" ? { color: Buffer.from("blue") } : undefined),
};
