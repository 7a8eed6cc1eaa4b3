import { describe, expect, test } from "vitest";
import { refused } from "../kept-rules.ts";
import { createWorld, keeps } from "../world.ts";

keeps("launch templates", {
    "creates and deletes a template": async ({ ec2 }) => {
        const { LaunchTemplate } = await ec2.createLaunchTemplate({ LaunchTemplateName: "nodes", LaunchTemplateData: {} });
        expect(LaunchTemplate).toMatchObject({ LaunchTemplateName: "nodes", DefaultVersionNumber: 1, LatestVersionNumber: 1 });
        await ec2.deleteLaunchTemplate({ LaunchTemplateName: "nodes" });
        await refused(
            ec2.describeLaunchTemplates({ LaunchTemplateIds: [LaunchTemplate.LaunchTemplateId] }),
            "InvalidLaunchTemplateId.NotFound",
        );
    },
    "refuses a duplicate name": async ({ ec2 }) => {
        await ec2.createLaunchTemplate({ LaunchTemplateName: "nodes", LaunchTemplateData: {} });
        await refused(
            ec2.createLaunchTemplate({ LaunchTemplateName: "nodes", LaunchTemplateData: {} }),
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        );
    },
    "returns the data of each version": async ({ ec2 }) => {
        const data = (HttpPutResponseHopLimit: number) => ({ MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit } });
        const { LaunchTemplate } = await ec2.createLaunchTemplate({ LaunchTemplateName: "nodes", LaunchTemplateData: data(1) });
        const ref = { LaunchTemplateId: LaunchTemplate.LaunchTemplateId };
        await ec2.createLaunchTemplateVersion({ ...ref, LaunchTemplateData: data(2) });
        const describeVersions = async (Versions?: string[]) =>
            (await ec2.describeLaunchTemplateVersions({ ...ref, ...(Versions && { Versions }) })).LaunchTemplateVersions.map((version) => [
                version.VersionNumber,
                version.LaunchTemplateData,
                version.DefaultVersion,
            ]);
        expect(await describeVersions()).toEqual([
            [1, data(1), true],
            [2, data(2), false],
        ]);
        expect(await describeVersions(["$Latest"])).toEqual([[2, data(2), false]]);
        await ec2.modifyLaunchTemplate({ ...ref, DefaultVersion: "2" });
        expect(await describeVersions(["$Default"])).toEqual([[2, data(2), true]]);
        await refused(describeVersions(["9"]), "InvalidLaunchTemplateId.VersionNotFound");
    },
});

describe("launch templates: further checks", () => {
    test("refuses a request without ID and name, and an unknown name", async () => {
        const { ec2 } = createWorld();
        await refused(ec2.deleteLaunchTemplate({}), "MissingParameter");
        await refused(ec2.deleteLaunchTemplate({ LaunchTemplateName: "x" }), "InvalidLaunchTemplateName.NotFoundException");
    });
});
