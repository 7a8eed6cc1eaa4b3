import { describe, expect, test } from "vitest";
import { addTags } from "../../../aws/ec2/tags.ts";
import { refused } from "../kept-rules.ts";
import { IRELAND } from "../places.ts";
import { createWorld } from "../world.ts";

describe("tags", () => {
    const aws = [{ Key: "aws:eks:cluster-name", Value: "a" }];

    test("reserve aws: keys for AWS's services", async () => {
        const w = createWorld();
        const VpcId = await w.vpc();
        await refused(w.ec2.createTags({ Resources: [VpcId], Tags: aws }), "InvalidParameterValue");
        w.aws.edit(IRELAND, (scope) => addTags(scope, VpcId, aws));
        expect((await w.ec2.describeTags()).Tags).toEqual([{ ...aws[0], ResourceId: VpcId, ResourceType: "vpc" }]);
    });

    test("need an existing resource of the right kind, at most 50 each", async () => {
        const { ec2, vpc } = createWorld();
        const VpcId = await vpc();
        const tag = (i: number) => ({ Key: `k${i}`, Value: "v" });
        await refused(ec2.createTags({ Resources: [VpcId.replace("vpc", "subnet")], Tags: [tag(1)] }), "InvalidID");
        await refused(
            ec2.createVpc({ CidrBlock: "10.0.0.0/16", TagSpecifications: [{ ResourceType: "subnet", Tags: [tag(1)] }] }),
            "InvalidParameterValue",
        );
        await ec2.createTags({ Resources: [VpcId], Tags: Array.from({ length: 50 }, (_, i) => tag(i)) });
        await ec2.createTags({ Resources: [VpcId], Tags: [{ Key: "k1", Value: "new" }] });
        await refused(ec2.createTags({ Resources: [VpcId], Tags: [tag(50)] }), "TagLimitExceeded");
    });
});
