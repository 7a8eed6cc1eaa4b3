import { z } from "zod";

const Probe = z.looseObject({ status: z.string().default(""), lastProbed: z.string().default("") });

/** `cilium-health status -o json` (api/v1/health/models): a probe without a status has passed, a missing probe was not made. */
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

/** A failed health check between two nodes. */
export interface FailedProbe {
    /** "<cluster>/<node>" */
    node: string;
    probe: "tcp/4240" | "icmp";
    /** Cilium's message. */
    why: string;
    /** Time of the probe, ISO 8601. Agents probe all nodes within two minutes in a small mesh, within ten in a large one, and keep the results meanwhile. */
    at: string;
}

/**
 * The health checks that failed.
 *
 * @param output output of `cilium-health status -o json`
 * @throws Error when the output is something else
 */
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
