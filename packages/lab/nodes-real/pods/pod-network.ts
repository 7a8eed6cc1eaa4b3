import type { V1HostAlias, V1Pod } from "@kubernetes/client-node";
import { type Attached, attach, type Conflist } from "../cni.ts";
import type { Runtime } from "../containers/runtime.ts";

/** The pod's own ports below 1024 need no right, as with containerd. */
const MAKE =
    'touch "$1" && exec unshare --net="$1" /bin/sh -c "ip link set lo up && echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start"';
const REMOVE = 'umount "$1"; rm -f "$1"';

/** The network namespace of a pod. */
export interface PodNetwork extends Attached {
    /** Its path in the node's view. */
    namespace: string;
}

/** Makes a network namespace for the pod and joins it to the network. @param plugins folder of the CNI plugins @throws Error with the plugin's words */
export async function joinNetwork(runtime: Runtime, list: Conflist, plugins: string, pod: V1Pod): Promise<PodNetwork> {
    const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
    const path = `/run/netns/${uid}`;
    const shell = (script: string) => runtime.command(["/bin/sh", "-c", script, "netns", path]);
    await shell(REMOVE);
    await shell(MAKE);
    try {
        const attached = await attach(runtime, list, plugins, { containerId: uid, network: path, namespace, pod: name, uid });
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

/** A name that the machine's own servers would have to answer is refused at once: an empty file means a server on loopback, and there is none. */
export const RESOLV_CONF =
    "# The lab's pods ask no name server: there is no cluster DNS, and the machine's own is none of their business.\n";

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
