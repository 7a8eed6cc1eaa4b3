import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Runtime } from "../containers/runtime.ts";

/** A network configuration list of the Container Network Interface, 0.4.0 or 1.0.0. https://www.cni.dev/docs/spec/ */
export interface Conflist {
    cniVersion: string;
    name: string;
    plugins: ({ type: string } & Record<string, unknown>)[];
}

/** The pod to connect to the network. Paths are in the node's view. */
export interface Attachment {
    containerId: string;
    network: string;
    namespace: string;
    name: string;
    uid: string;
}

interface CniResult {
    ips?: { address: string }[];
}

const INTERFACE = "eth0";

/**
 * The node's conflist: the first valid one by name, as in the kubelet's runtime.
 *
 * @returns undefined while there is none
 */
export async function currentConflist(folder: string): Promise<Conflist | undefined> {
    const files = (await readdir(folder).catch(() => [])).filter((file) => /^[^.].*\.conflist$/.test(file)).sort();
    for (const file of files) {
        const list = parseConflist(await readFile(join(folder, file), "utf8").catch(() => ""));
        if (list) return list;
    }
    return undefined;
}

/** @returns undefined when the text is not a valid conflist, for instance because it is still being written */
export function parseConflist(text: string): Conflist | undefined {
    try {
        const list = JSON.parse(text) as Partial<Conflist>;
        return list.name && list.plugins?.length
            ? { ...list, cniVersion: list.cniVersion ?? "0.4.0", name: list.name, plugins: list.plugins }
            : undefined;
    } catch {
        return undefined;
    }
}

/** The configuration that a plugin receives: its own part of the list, and the result of the plugins before it. */
export function pluginConfig({ cniVersion, name }: Conflist, plugin: Conflist["plugins"][number], previous: unknown): object {
    return { ...plugin, cniVersion, name, ...(previous !== undefined && { prevResult: previous }) };
}

/** The environment of the plugins. */
export function pluginEnvironment(verb: "ADD" | "DEL", plugins: string, pod: Attachment): Record<string, string> {
    return {
        CNI_COMMAND: verb,
        CNI_CONTAINERID: pod.containerId,
        CNI_NETNS: pod.network,
        CNI_IFNAME: INTERFACE,
        CNI_PATH: plugins,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId};K8S_POD_UID=${pod.uid}`,
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    };
}

/** A pod's connection to the network. */
export interface Attached {
    address: string;
    /** Disconnects the pod by the plugins that connected it. */
    detach(): Promise<void>;
}

/**
 * Connects a pod to the network with the list's plugins, one after another.
 *
 * @param plugins folder of the plugins' programs
 * @throws Error with the plugin's output
 */
export async function attach(runtime: Runtime, list: Conflist, plugins: string, pod: Attachment): Promise<Attached> {
    const call = async (verb: "ADD" | "DEL", plugin: Conflist["plugins"][number], previous: unknown) => {
        const env = pluginEnvironment(verb, plugins, pod);
        return runtime.command([join(plugins, plugin.type)], { env, input: JSON.stringify(pluginConfig(list, plugin, previous)) });
    };
    let result: unknown;
    const detach = async () => {
        const failures: unknown[] = [];
        // Run the other plugins even if one fails: the node loses an address that is not released.
        for (const plugin of list.plugins.toReversed()) await call("DEL", plugin, result).catch((error) => failures.push(error));
        if (failures.length > 0) throw new Error(`pod ${pod.name} could not be disconnected from the network: ${failures.join("; ")}`);
    };
    try {
        for (const plugin of list.plugins) result = JSON.parse(await call("ADD", plugin, result));
    } catch (error) {
        await detach().catch(() => {});
        throw error;
    }
    const address = (result as CniResult).ips?.[0]?.address.split("/")[0];
    if (!address) throw new Error(`the plugins of CNI network ${list.name} returned no address`);
    return { address, detach };
}
