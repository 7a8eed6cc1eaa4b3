import { expect, test } from "vitest";
import { plannedFacts } from "../../../core/facts/planned.ts";
import type { ClusterFacts } from "../../../core/facts/schema.ts";
import { fullStackName } from "../../../core/stack-names.ts";
import { describeLink, type Topology, topology } from "../../../core/topology/model.ts";
import { member } from "../../members.ts";
import { cluster, PROJECT } from "../plan/stacks.ts";

function planned(network: Topology["network"], ...ids: [number, string?][]) {
    const configs = ids.map(([id, region = "eu-central-1"]) => cluster(id, { region }));
    return { mesh: "mesh", network, planned: configs.map((config) => plannedFacts(config, fullStackName(config.name, PROJECT))) };
}

const published = (...members: ClusterFacts[]) => Object.fromEntries(members.map((facts) => [facts.name, facts]));
const linksOf = ({ links }: Topology) => links.map((link) => `${link.ends.join("-")} ${describeLink(link)}`);

test("from stack files alone everything is planned, with the addresses that are known before deployment", () => {
    const { clusters, links } = topology(planned("peering", [1], [2]));
    expect(clusters.map(({ state, vpcId, etcd }) => [state, vpcId, etcd[0]])).toEqual([
        ["planned", null, "10.1.0.16"],
        ["planned", null, "10.2.0.16"],
    ]);
    expect(links).toEqual([{ ends: ["c1", "c2"], kind: "peering", id: null, state: "planned", detail: null }]);
});

test("deployed clusters are drawn as deployed, even if their file was changed; others are planned", () => {
    const deployed = [member(1, { vpcCidrs: ["10.99.0.0/16"] }), member(2)];
    const found = topology(planned("peering", [1], [2], [3]), deployed, {
        members: published(...deployed),
        connections: { "c1.c2": "pcx-1" },
    });
    expect(found.clusters.map(({ name, state, vpcId, vpcCidrs }) => [name, state, vpcId, vpcCidrs[0]])).toEqual([
        ["c1", "deployed", "vpc-c1", "10.99.0.0/16"],
        ["c2", "deployed", "vpc-c2", "10.2.0.0/16"],
        ["c3", "planned", null, "10.3.0.0/16"],
    ]);
    expect(linksOf(found)).toEqual(["c1-c2 VPC peering pcx-1 (connected)", "c1-c3 VPC peering (planned)", "c2-c3 VPC peering (planned)"]);
});

test("finds a connection whatever the order of its clusters, and AWS's state decides where it was requested", () => {
    const members = [member(1, { region: "us-east-1" }), member(2, { region: "eu-central-1" })];
    const mesh = { members: published(...members), connections: { "c1.c2": "pcx-1" } };
    const at = planned("peering", [1, "us-east-1"], [2]);
    expect(linksOf(topology(at, members, mesh))).toEqual(["c2-c1 VPC peering pcx-1 (connected)"]);
    expect(linksOf(topology(at, members, mesh, new Map([["pcx-1", "active"]])))).toEqual(["c2-c1 VPC peering pcx-1 (active)"]);
    expect(topology(at, members, mesh, new Map([["pcx-1", "rejected"]])).links[0]).toMatchObject({ state: "broken", detail: "rejected" });
});

test("attaches clusters to their region's Transit Gateway, and peers gateways once both exist", () => {
    const members = [member(1), member(2, { region: "us-east-1" })];
    const at = planned("transit-gateway", [1], [2, "us-east-1"], [3, "eu-west-1"]);
    const found = topology(at, members, { members: published(...members), connections: { "eu-central-1": "tgw-1", "us-east-1": "tgw-2" } });
    expect(found.gateways).toEqual([
        { region: "eu-central-1", id: "tgw-1", state: "deployed" },
        { region: "eu-west-1", id: null, state: "planned" },
        { region: "us-east-1", id: "tgw-2", state: "deployed" },
    ]);
    expect(linksOf(found)).toEqual([
        "c1-eu-central-1 Transit Gateway attachment (connected)",
        "c3-eu-west-1 Transit Gateway attachment (planned)",
        "c2-us-east-1 Transit Gateway attachment (connected)",
        "eu-central-1-eu-west-1 Transit Gateway peering (planned)",
        "eu-central-1-us-east-1 Transit Gateway peering (connected)",
        "eu-west-1-us-east-1 Transit Gateway peering (planned)",
    ]);
});
