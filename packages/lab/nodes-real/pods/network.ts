import type { V1HostAlias, V1Pod } from "@kubernetes/client-node";
import type { Runtime } from "../containers/runtime.ts";
import { type Attached, attach, type Conflist } from "./cni.ts";

/** As with containerd, ports below 1024 need no privilege in the pod's network namespace. */
const CREATE =
    'touch "$1" && exec unshare --net="$1" /bin/sh -c "ip link set lo up && echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start"';
const REMOVE = 'umount "$1"; rm -f "$1"';
/**
 * The node's own packets to the pod have the node's address, as behind the VPC CNI, whose end of a pod's link has no address. With ptp's gateway address,
 * Cilium would take the kubelet's probes for the world, and a network policy would make its pods unready.
 */
const FROM_NODE = `
link=$(ip -o -4 route show "$2/32" | sed 's/.* dev \\([^ ]*\\).*/\\1/')
node=$(ip -o -4 address show dev eth0 primary | sed 's/.* inet \\([^/]*\\).*/\\1/' | head -n 1)
ip -4 route replace "$2/32" dev "$link" scope link src "$node"
`;

/** The network namespace of a pod. */
export interface PodNetwork extends Attached {
    /** Path in the node's view; empty for the node's own namespace. */
    namespace: string;
}

/**
 * Creates a network namespace for the pod and connects it to the network.
 *
 * @param plugins folder of the CNI plugins
 * @throws Error with the plugin's output
 */
export async function joinNetwork(runtime: Runtime, list: Conflist, plugins: string, pod: V1Pod): Promise<PodNetwork> {
    const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
    const path = `/run/netns/${uid}`;
    const shell = (script: string, ...more: string[]) => runtime.command(["/bin/sh", "-c", script, "netns", path, ...more]);
    await shell(REMOVE);
    await shell(CREATE);
    try {
        const attached = await attach(runtime, list, plugins, { containerId: uid, network: path, namespace, name, uid });
        await shell(FROM_NODE, attached.address);
        return {
            namespace: path,
            address: attached.address,
            async detach() {
                await attached.detach();
                await shell(REMOVE);
            },
        };
    } catch (error) {
        await shell(REMOVE);
        throw error;
    }
}

/** Without a nameserver line the resolver asks one on loopback. None exists there, so every look-up fails at once. */
export const RESOLV_CONF = "# No name server: the lab has no cluster DNS, and pods must not use the machine's.\n";

/** A pod's /etc/hosts. */
export function hostsFile(pod: V1Pod, { podAddress, nodeName }: { podAddress: string; nodeName: string }): string {
    const { hostNetwork, hostname, hostAliases = [] } = pod.spec ?? {};
    const aliases = hostAliases.map(({ ip, hostnames = [] }: V1HostAlias) => [ip, ...hostnames].join("\t"));
    return [
        `# Kubernetes-managed hosts file${hostNetwork ? " (host network)" : ""}.`,
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        `${podAddress}\t${hostNetwork ? nodeName : (hostname ?? pod.metadata?.name)}`,
        ...(aliases.length > 0 ? ["", "# Entries added by HostAliases.", ...aliases] : []),
        "",
    ].join("\n");
}
