import { type Filter, filtered } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { networkAcls, shown, subnets } from "./tables.ts";
import { tagsOf } from "./tags.ts";

/** Creates the default ACL of a VPC, which allows everything. */
export function createDefaultAcl(scope: Scope, VpcId: string): void {
    const NetworkAclId = scope.id("acl");
    const entry = (RuleNumber: number, RuleAction: "allow" | "deny", Egress: boolean) => ({
        CidrBlock: "0.0.0.0/0",
        Egress,
        Protocol: "-1",
        RuleAction,
        RuleNumber,
    });
    networkAcls.in(scope).put(NetworkAclId, {
        NetworkAclId,
        VpcId,
        OwnerId: scope.account,
        IsDefault: true,
        Entries: [true, false].flatMap((egress) => [entry(100, "allow", egress), entry(32767, "deny", egress)]),
    });
}

/** The actions on network ACLs. Only the default ACLs exist. */
export const aclActions = (scope: Scope) => ({
    describeNetworkAcls: ({ Filters, NetworkAclIds }: { Filters?: Filter[]; NetworkAclIds?: string[] } = {}) => {
        const all = networkAcls
            .in(scope)
            .list()
            .filter((acl) => !NetworkAclIds || NetworkAclIds.includes(acl.NetworkAclId));
        const withSubnets = all.map((acl) => ({
            ...shown(acl, tagsOf(scope, acl.NetworkAclId)),
            // Only default ACLs exist, so every subnet of the VPC uses this one.
            Associations: subnets
                .in(scope)
                .list()
                .filter(({ VpcId }) => VpcId === acl.VpcId)
                .map(({ SubnetId }) => ({
                    NetworkAclAssociationId: SubnetId.replace("subnet", "aclassoc"),
                    NetworkAclId: acl.NetworkAclId,
                    SubnetId,
                })),
        }));
        return {
            NetworkAcls: filtered(withSubnets, Filters, {
                "vpc-id": ({ VpcId }) => VpcId,
                "network-acl-id": ({ NetworkAclId }) => NetworkAclId,
                default: ({ IsDefault }) => IsDefault,
                "association.subnet-id": ({ Associations }) => Associations.map(({ SubnetId }) => SubnetId),
            }),
        };
    },
});
