import fc from "fast-check";
import { pairs } from "../../../core/network/mesh.ts";
import type { Topology } from "../../../core/topology/model.ts";

const REGIONS = ["eu-central-1", "us-gov-west-1", "ap-southeast-1", "me-central-1"];

/** Meshes of 1 to 12 clusters with up to three CIDR blocks and six zones, names and ids of any length, and links in every state. */
export function topologies(text: fc.Arbitrary<string>): fc.Arbitrary<Topology> {
    const id = fc.option(text, { nil: null });
    const state = fc.constantFrom("deployed" as const, "planned" as const);
    const cluster = fc.record({
        region: fc.constantFrom(...REGIONS),
        name: text,
        accountId: fc.constant(null),
        vpcId: id,
        vpcCidrs: fc.array(fc.constantFrom("10.0.0.0/8", "192.168.100.128/25"), { minLength: 1, maxLength: 3 }),
        etcd: fc.array(fc.ipV4(), { minLength: 2, maxLength: 6 }),
        kubernetesVersion: fc.constant("1.35"),
        ciliumVersion: fc.constant("1.20.2"),
        state,
    });
    const link = fc.record({
        id,
        state: fc.constantFrom("connected" as const, "planned" as const, "broken" as const),
        detail: fc.option(text, { nil: null }),
    });
    return fc
        .tuple(
            fc.array(cluster, { minLength: 1, maxLength: 12 }),
            fc.constantFrom("peering" as const, "transit-gateway" as const),
            fc.array(link, { minLength: 1, maxLength: 6 }),
            fc.record({ id, state }),
            text,
        )
        .map(([found, network, states, gateway, mesh]) => {
            // Names are unique, as preflight requires, and clusters of a region are next to each other, as in the model.
            const clusters = found
                .toSorted((a, b) => a.region.localeCompare(b.region))
                .map((cluster, i) => ({ ...cluster, id: i + 1, name: `${cluster.name.slice(0, 29)}${i}` }));
            const regions = [...new Set(clusters.map(({ region }) => region))];
            const gateways = network === "peering" ? [] : regions.map((region) => ({ region, ...gateway }));
            const ends =
                network === "peering"
                    ? pairs(clusters).map(([a, b]) => ({ kind: "peering" as const, ends: [a.name, b.name] as [string, string] }))
                    : [
                          ...clusters.map(({ name, region }) => ({
                              kind: "attachment" as const,
                              ends: [name, region] as [string, string],
                          })),
                          ...pairs(regions).map((ends) => ({ kind: "gateway-peering" as const, ends })),
                      ];
            const links = ends.map((end, i) => ({ ...end, ...(states[i % states.length] as (typeof states)[number]) }));
            return { version: 1, mesh, network, clusters, gateways, links };
        });
}

/** Texts as AWS and people usually write them. */
export const ordinary = fc.string({ unit: fc.constantFrom(..."abcmw-0189"), minLength: 1, maxLength: 32 });

/** Any text that can be typed. */
export const hostile = fc.string({
    unit: fc.oneof(fc.constantFrom(..."<>&\"'`|[]{}();#%\n\\"), fc.constantFrom("end", "]]>", "--", "é", "𝛑")),
    maxLength: 8,
});
