import { beforeEach, describe, expect, test } from "vitest";
import { keptRules, refused } from "../kept-rules.ts";
import { FRANKFURT } from "../places.ts";
import { createSite, type Site } from "../site.ts";

let s: Site;
beforeEach(async () => {
    s = await createSite();
});
const invalid = "InvalidParameterException";

describe("EKS updates", () => {
    const rule = keptRules("EKS updates");
    const upgrade = (version: string) => s.eks.updateClusterVersion({ name: "one", version });

    rule("upgrades by one minor version", async () => {
        await s.active({ version: "1.33" });
        expect((await upgrade("1.34")).update).toMatchObject({
            type: "VersionUpdate",
            status: "InProgress",
            params: [{ type: "Version", value: "1.34" }, { type: "PlatformVersion" }],
        });
        expect((await s.eks.describeCluster({ name: "one" })).cluster).toMatchObject({ status: "UPDATING", version: "1.33" });
        await refused(upgrade("1.34"), "ResourceInUseException");
    });

    rule("describes and lists updates", async () => {
        await s.active({ version: "1.33" });
        const { update } = await upgrade("1.34");
        const request = { name: "one", updateId: update.id };
        expect((await s.eks.describeUpdate(request)).update).toEqual(update);
        s.minutes(8);
        expect((await s.eks.describeUpdate(request)).update.status).toBe("Successful");
        expect((await s.eks.listUpdates({ name: "one" })).updateIds).toEqual([update.id]);
        await refused(s.eks.describeUpdate({ ...request, updateId: "none" }), "ResourceNotFoundException", "No update found for ID: none");
    });

    rule("has the new version after the upgrade", async () => {
        await s.active({ version: "1.33" });
        await upgrade("1.34");
        s.minutes(8);
        expect((await s.eks.describeCluster({ name: "one" })).cluster).toMatchObject({ status: "ACTIVE", version: "1.34" });
    });

    rule("refuses an upgrade by two minor versions", async () => {
        await s.active();
        await refused(upgrade("1.36"), invalid, "Unsupported Kubernetes minor version update from 1.34 to 1.36");
    });

    rule("refuses a downgrade", async () => {
        await s.active();
        await refused(upgrade("1.33"), invalid, "Unsupported Kubernetes minor version update from 1.34 to 1.33");
        await refused(upgrade("1.34"), invalid, "Cluster is already at the desired version 1.34");
    });

    rule("updates the access to the endpoint", async () => {
        await s.active();
        const request = { name: "one", resourcesVpcConfig: { endpointPrivateAccess: true, publicAccessCidrs: ["203.0.113.0/24"] } };
        expect((await s.eks.updateClusterConfig(request)).update.type).toBe("EndpointAccessUpdate");
        s.minutes(2);
        expect((await s.eks.describeCluster({ name: "one" })).cluster.resourcesVpcConfig).toMatchObject(request.resourcesVpcConfig);
        await refused(
            s.eks.updateClusterConfig(request),
            invalid,
            "Cluster is already at the desired configuration with endpointPrivateAccess: true , endpointPublicAccess: true, and Public Endpoint Restrictions: [203.0.113.0/24]",
        );
    });

    test("refuses to move a cluster to another VPC", async () => {
        await s.active();
        const { VpcId } = (await s.ec2.createVpc({ CidrBlock: "10.1.0.0/16" })).Vpc;
        const created = async (CidrBlock: string, zone: string) =>
            (await s.ec2.createSubnet({ VpcId, CidrBlock, AvailabilityZone: `${FRANKFURT.region}${zone}` })).Subnet.SubnetId;
        const subnetIds = [await created("10.1.0.0/24", "a"), await created("10.1.1.0/24", "b")];
        await refused(s.eks.updateClusterConfig({ name: "one", resourcesVpcConfig: { subnetIds } }), invalid);
    });

    test("allows one change at a time, and never an earlier authentication mode", async () => {
        await s.active();
        const accessConfig = { authenticationMode: "API_AND_CONFIG_MAP" as const };
        await refused(
            s.eks.updateClusterConfig({ name: "one", deletionProtection: true, accessConfig }),
            invalid,
            "Only one type of update can be allowed.",
        );
        await refused(
            s.eks.updateClusterConfig({ name: "one", accessConfig }),
            invalid,
            "Unsupported authentication mode update from API to API_AND_CONFIG_MAP",
        );
        const logging = { clusterLogging: [{ types: ["api"], enabled: true }] };
        await s.eks.updateClusterConfig({ name: "one", logging });
        s.minutes(2);
        await refused(s.eks.updateClusterConfig({ name: "one", logging }), invalid, "No changes needed for the logging config provided");
    });
});
