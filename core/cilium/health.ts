import { z } from "zod";

const Probe = z.looseObject({ status: z.string().default(""), lastProbed: z.string().default("") });

/** `cilium-health status -o json` (api/v1/health/models): a probe without a status has passed, one that is left out was not made. */
const Health = z.looseObject({
    nodes: z
        .array(
            z.looseObject({
                name: z.string().default(""),
                host: z
                    .looseObject({ "primary-address": z.looseObject({ http: Probe.optional(), icmp: Probe.optional() }).optional() })
                    .optional(),
            }),
        )
        .nullish(),
});

/** A way from node to node that a health check did not find. */
export interface FailedProbe {
    /** "<cluster>/<node>" */
    node: string;
    probe: "tcp/4240" | "icmp";
    /** In Cilium's words. */
    why: string;
    /** When: an agent of a small mesh probes all nodes within two minutes, of a large one within ten, and keeps what it found meanwhile. ISO. */
    at: string;
}

/** @param output of `cilium-health status -o json` @throws Error when it is none */
export function failedProbes(output: string): FailedProbe[] {
    return (Health.parse(JSON.parse(output)).nodes ?? []).flatMap(({ name, host }) => {
        const { http, icmp } = host?.["primary-address"] ?? {};
        const probes: FailedProbe[] = [
            { node: name, probe: "tcp/4240", why: http?.status ?? "", at: http?.lastProbed ?? "" },
            { node: name, probe: "icmp", why: icmp?.status ?? "", at: icmp?.lastProbed ?? "" },
        ];
        return probes.filter(({ why }) => why !== "");
    });
}
