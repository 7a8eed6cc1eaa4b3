import { beforeEach, describe, expect, test } from "vitest";
import { keptRules, refused } from "../kept-rules.ts";
import { createSite, type Site } from "../site.ts";

let s: Site;
beforeEach(async () => {
    s = await createSite();
});
const clusterRef = { clusterName: "one" };
const nodes = { clusterName: "one", nodegroupName: "nodes" };
const invalid = "InvalidParameterException";

describe("EKS add-ons", () => {
    const rule = keptRules("EKS add-ons");
    const cni = { ...clusterRef, addonName: "vpc-cni" };
    const configurationValues = JSON.stringify({ env: { ENABLE_PREFIX_DELEGATION: "true", WARM_PREFIX_TARGET: "1" } });

    rule("creates an add-on with configuration values", async () => {
        await s.active();
        const { addon } = await s.eks.createAddon({ ...cni, configurationValues });
        expect(addon).toMatchObject({ status: "CREATING", configurationValues });
    });

    rule("describes the configuration values of the request", async () => {
        await s.active();
        await s.eks.createAddon({ ...cni, configurationValues });
        s.minutes(1);
        expect((await s.eks.describeAddon(cni)).addon).toMatchObject({ status: "ACTIVE", configurationValues });
        expect((await s.eks.listAddons(clusterRef)).addons).toEqual(["vpc-cni"]);
    });

    rule("refuses invalid configuration values", async () => {
        await s.active();
        const start = "ConfigurationValue provided in request is not supported: ";
        const refusals: [string, string][] = [
            ["{", "it is neither valid JSON nor valid YAML"],
            ["[]", "Json schema validation failed with error: [$: object found, object expected]"],
            [
                '{"envs":{}}',
                "Json schema validation failed with error: [$.envs: is not defined in the schema and the schema does not allow additional properties]",
            ],
            ['{"env":{"A":true}}', "Json schema validation failed with error: [$.env.A: boolean found, string expected]"],
        ];
        for (const [text, message] of refusals)
            await refused(s.eks.createAddon({ ...cni, configurationValues: text }), invalid, `${start}${message}`);
    });

    rule("refuses an unknown add-on or version", async () => {
        await s.active();
        await refused(
            s.eks.createAddon({ ...clusterRef, addonName: "cni" }),
            invalid,
            "Addon cni specified is not supported in 1.34 kubernetes version",
        );
        await refused(
            s.eks.createAddon({ ...cni, addonVersion: "v0.0.1-eksbuild.1" }),
            invalid,
            "Addon version specified is not supported",
        );
        await refused(s.eks.describeAddon(cni), "ResourceNotFoundException", "No addon: vpc-cni found in cluster: one");
    });

    test("refuses an unknown role", async () => {
        await s.active();
        const serviceAccountRoleArn = `${s.nodeRole}x`;
        await refused(s.eks.createAddon({ ...cni, serviceAccountRoleArn }), invalid, `The role ${serviceAccountRoleArn} cannot be found.`);
    });

    rule("refuses a duplicate add-on", async () => {
        await s.active();
        await s.eks.createAddon(cni);
        await refused(s.eks.createAddon(cni), "ResourceInUseException", "Addon already exists.");
    });

    rule("updates an add-on", async () => {
        await s.active();
        await s.eks.createAddon(cni);
        await refused(s.eks.updateAddon({ ...cni, configurationValues }), "ResourceInUseException");
        s.minutes(1);
        const { update } = await s.eks.updateAddon({ ...cni, configurationValues });
        expect((await s.eks.describeAddon(cni)).addon.status).toBe("UPDATING");
        s.minutes(1);
        expect((await s.eks.describeAddon(cni)).addon).toMatchObject({ status: "ACTIVE", configurationValues });
        const described = await s.eks.describeUpdate({ name: "one", addonName: "vpc-cni", updateId: update.id });
        expect(described.update.status).toBe("Successful");
    });

    test("deletes an add-on", async () => {
        await s.active();
        await s.eks.createAddon(cni);
        await s.eks.deleteAddon({ ...cni, preserve: true });
        expect((await s.eks.describeAddon(cni)).addon.status).toBe("DELETING");
        await refused(s.eks.deleteAddon(cni), "ResourceInUseException");
        s.minutes(1);
        await refused(s.eks.describeAddon(cni), "ResourceNotFoundException");
    });

    test("keeps CoreDNS in CREATING until there is a node", async () => {
        await s.active();
        const coredns = { ...clusterRef, addonName: "coredns" };
        await s.eks.createAddon(coredns);
        s.minutes(30);
        expect((await s.eks.describeAddon(coredns)).addon.status).toBe("CREATING");
        await s.nodegroup();
        s.minutes(2);
        await s.eks.describeNodegroup(nodes);
        expect((await s.eks.describeAddon(coredns)).addon.status).toBe("ACTIVE");
    });

    rule("describes the versions of an add-on", async () => {
        const { addons } = await s.eks.describeAddonVersions({ addonName: "coredns", kubernetesVersion: "1.35" });
        expect(addons).toHaveLength(1);
        const [first] = addons[0]?.addonVersions ?? [];
        expect(first?.compatibilities).toEqual([{ clusterVersion: "1.35", platformVersions: ["*"], defaultVersion: true }]);
        expect((await s.eks.describeAddonVersions({ addonName: "none" })).addons).toEqual([]);
    });
});
