import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Runtime } from "./containers/runtime.ts";

/** A network configuration list of the Container Network Interface, 0.4.0 or 1.0.0. https://www.cni.dev/docs/spec/ */
export interface Conflist {
    cniVersion: string;
    name: string;
    plugins: ({ type: string } & Record<string, unknown>)[];
}

/** What is to be joined to the network. Paths are the node's. */
export interface Attachment {
    containerId: string;
    network: string;
    namespace: string;
    pod: string;
    uid: string;
}

interface CniResult {
    ips?: { address: string }[];
}

const INTERFACE = "eth0";

/** The node's conflist: the first by name, as the kubelet's runtime takes it. @returns undefined while there is none */
export async function currentConflist(folder: string): Promise<Conflist | undefined> {
    const files = (await readdir(folder).catch(() => [])).filter((file) => /^[^.].*\.conflist$/.test(file)).sort();
    for (const file of files) {
        const list = parseConflist(await readFile(join(folder, file), "utf8").catch(() => ""));
        if (list) return list;
    }
    return undefined;
}

/** @returns undefined when it is none, because somebody is still writing it, say */
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

/** What each plugin of the list is given: its part, and what those before it have made. */
export function pluginConfig({ cniVersion, name }: Conflist, plugin: Conflist["plugins"][number], previous: unknown): object {
    return { ...plugin, cniVersion, name, ...(previous !== undefined && { prevResult: previous }) };
}

/** The plugins' environment. */
export function pluginEnvironment(verb: "ADD" | "DEL", plugins: string, at: Attachment): Record<string, string> {
    return {
        CNI_COMMAND: verb,
        CNI_CONTAINERID: at.containerId,
        CNI_NETNS: at.network,
        CNI_IFNAME: INTERFACE,
        CNI_PATH: plugins,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${at.namespace};K8S_POD_NAME=${at.pod};K8S_POD_INFRA_CONTAINER_ID=${at.containerId};K8S_POD_UID=${at.uid}`,
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    };
}

/** A pod's place in the network. */
export interface Attached {
    address: string;
    /** Takes it out again, by the plugins that put it in. */
    detach(): Promise<void>;
}

/** Joins a pod to the network, by the list's plugins one after another. @param plugins folder of their programs @throws Error with the plugin's words */
export async function attach(runtime: Runtime, list: Conflist, plugins: string, at: Attachment): Promise<Attached> {
    const call = async (verb: "ADD" | "DEL", plugin: Conflist["plugins"][number], previous: unknown) => {
        const env = pluginEnvironment(verb, plugins, at);
        return runtime.command([join(plugins, plugin.type)], { env, input: JSON.stringify(pluginConfig(list, plugin, previous)) });
    };
    let result: unknown;
    const detach = async () => {
        const failures: unknown[] = [];
        // The others get their turn even if one fails: an address that is not given back is lost to the node.
        for (const plugin of list.plugins.toReversed()) await call("DEL", plugin, result).catch((error) => failures.push(error));
        if (failures.length > 0) throw new Error(`${at.pod} could not be taken out of the network: ${failures.join("; ")}`);
    };
    try {
        for (const plugin of list.plugins) result = JSON.parse(await call("ADD", plugin, result));
    } catch (error) {
        await detach().catch(() => {});
        throw error;
    }
    const address = (result as CniResult).ips?.[0]?.address.split("/")[0];
    if (!address) throw new Error(`the plugins of ${list.name} gave no address`);
    return { address, detach };
}
