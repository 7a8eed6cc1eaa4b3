import { describe, expect, test } from "vitest";
import { createInterface } from "../../../aws/ec2/interfaces.ts";
import type { Endpoint, FindTargets } from "../../../aws/path/path.ts";
import { IRELAND } from "../places.ts";
import { admit, createPeered, ETCD, follow, SAME } from "./members.ts";

describe("a path to a load balancer", () => {
    async function balanced() {
        const created = await createPeered(SAME);
        const { w, b } = created;
        const group = await w.group(b.vpcId, "etcd");
        const address = "10.1.0.16";
        w.aws.edit(IRELAND, (scope) =>
            createInterface(scope, { SubnetId: b.subnetId, Groups: [group], PrivateIpAddress: address, RequesterId: "amazon-elb" }),
        );
        await admit({ ...b, groupId: group }, created.a.cidr);
        const behind =
            (healthy: boolean): FindTargets =>
            (_, { PrivateIpAddress }) =>
                PrivateIpAddress === address ? [{ endpoint: b.node, port: 32379, healthy }] : undefined;
        const toNodes = { IpProtocol: "tcp", FromPort: 32379, ToPort: 32379, UserIdGroupPairs: [{ GroupId: group }] };
        const nodes = { GroupId: b.groupId, IpPermissions: [toNodes] };
        await w.ec2.authorizeSecurityGroupIngress(nodes);
        return { ...created, nodes, behind, etcd: { ...b.node, address } as Endpoint };
    }

    test("continues to a healthy target", async () => {
        const { w, a, etcd, behind, b } = await balanced();
        expect(follow(w, a.node, etcd, ETCD, behind(true))).toMatchObject({ open: true, forward: expect.arrayContaining([b.vpcId]) });
    });

    test("is open if the load balancer has no security groups", async () => {
        const { w, a, b } = await balanced();
        const bare = "10.1.0.17";
        w.aws.edit(IRELAND, (scope) => createInterface(scope, { SubnetId: b.subnetId, PrivateIpAddress: bare, RequesterId: "amazon-elb" }));
        expect(follow(w, a.node, { ...b.node, address: bare })).toMatchObject({ open: true });
        expect(follow(w, a.node, { ...b.node, address: "10.1.0.18", securityGroupIds: [] })).toMatchObject({
            drop: { reason: "ingress-rule" },
        });
    });

    test("is dropped if no target is healthy", async () => {
        const { w, a, etcd, behind } = await balanced();
        expect(follow(w, a.node, etcd, ETCD, behind(false))).toMatchObject({
            drop: { reason: "no-target", because: "none of its 1 targets is healthy" },
        });
    });

    test("is dropped if the target does not admit the load balancer", async () => {
        const { w, a, b, etcd, behind, nodes } = await balanced();
        await w.ec2.revokeSecurityGroupIngress(nodes);
        const path = follow(w, a.node, etcd, ETCD, behind(true));
        expect(path.drop?.reason).toBe("no-target");
        expect(path.summary).toContain(`${b.groupId}: no ingress rule allows tcp/32379 from 10.1.0.16`);
    });
});
