import { expect, test } from "vitest";
import { sharedSettings } from "../../../core/scaffold/inherit.ts";
import { newCluster } from "../../../core/scaffold/mesh.ts";
import { cluster, PROJECT } from "../plan/stacks.ts";

const ROLE = "arn:aws:iam::222222222222:role/mesh";
const KEY = "arn:aws:kms:eu-central-1:222222222222:key/k";

const shared = (overs: object[], region = "eu-central-1") =>
    sharedSettings(
        overs.map((over, i) => cluster(i + 1, over)),
        region,
    );

test.each<[string, object[], object]>([
    ["nothing that has its default value", [{}, { nat: "zone", kubernetesVersion: "1.35" }], {}],
    [
        "what all clusters have",
        [
            { nat: "single", kubernetesVersion: "1.36" },
            { nat: "single", kubernetesVersion: "1.36" },
        ],
        { nat: "single", kubernetesVersion: "1.36" },
    ],
    [
        "nothing in which clusters differ",
        [
            { nat: "single", tags: { a: "1" } },
            { nat: "none", nodeGroup: { subnets: "public" } },
        ],
        {},
    ],
    [
        "the common part of nested settings",
        [
            {
                nodeGroup: { diskGiB: 100, instanceTypes: ["m7i.xlarge"] },
                cilium: { kvstoreMesh: true, values: { debug: { enabled: true } } },
            },
            { nodeGroup: { diskGiB: 100 }, cilium: { kvstoreMesh: true } },
        ],
        { nodeGroup: { diskGiB: 100 }, cilium: { kvstoreMesh: true } },
    ],
    [
        "sizes of the node group only as a whole, because one of them beside defaults could be out of order",
        [{ nodeGroup: { min: 5, desired: 5 } }, { nodeGroup: { min: 5, desired: 6 } }],
        {},
    ],
    ["all sizes when they are alike", [{ nodeGroup: { min: 5, desired: 5 } }], { nodeGroup: { min: 5, desired: 5 } }],
    [
        "nothing of a region's own",
        [{ zones: ["eu-central-1a", "eu-central-1b"], kmsKeyArn: KEY, cilium: { poolCidr: "10.200.0.0/17" } }],
        {},
    ],
    [
        "the default instance type of another architecture",
        [{ nodeGroup: { architecture: "arm64" } }],
        { nodeGroup: { architecture: "arm64" } },
    ],
    [
        "add-on versions only with the Kubernetes version",
        [{ addons: { coreDns: "v1" } }, { addons: { coreDns: "v1" }, kubernetesVersion: "1.34" }],
        {},
    ],
    [
        "a role, API server CIDRs, admins and tags",
        [{ assumeRole: ROLE, admins: [ROLE], tags: { a: "1" }, endpoint: { publicCidrs: ["1.2.3.0/24"] } }],
        { assumeRole: ROLE, admins: [ROLE], tags: { a: "1" }, endpoint: { publicCidrs: ["1.2.3.0/24"] } },
    ],
])("takes over %s", (_, overs, expected) => expect(shared(overs)).toEqual(expected));

test("takes over large packets only within one region, which is all that carries them", () => {
    expect(shared([{ mtu: 9001 }])).toEqual({ mtu: 9001 });
    expect(shared([{ mtu: 9001 }], "eu-west-1")).toEqual({});
    expect(shared([{ mtu: 1500 }], "eu-west-1")).toEqual({ mtu: 1500 });
});

test("a file lists its own settings before the shared ones", () => {
    const config = cluster(1, { nat: "single", assumeRole: ROLE, cilium: { kvstoreMesh: true } });
    const existing = { clusters: [{ stack: "c1", config }], meshes: [], problems: [], invalid: [] };
    const { files } = newCluster("c2", "eu-west-1", existing, PROJECT);
    expect(Object.entries(files.get("c2") ?? {})).toEqual([
        ["kind", "cluster"],
        ["name", "c2"],
        ["id", 2],
        ["region", "eu-west-1"],
        ["assumeRole", ROLE],
        ["vpcCidr", "10.2.0.0/16"],
        ["nat", "single"],
        ["cilium", { kvstoreMesh: true }],
    ]);
});
