import { describe, expect, test } from "vitest";
import { refused } from "../kept-rules.ts";
import { createWorld } from "../world.ts";

describe("flow logs", () => {
    const ROLE = "arn:aws:iam::111111111111:role/flows";
    const LOGS = "arn:aws:logs:eu-west-1:111111111111:log-group:flows";

    test("are created once per VPC and log group, described and deleted", async () => {
        const { ec2, vpc } = createWorld();
        const VpcId = await vpc();
        const request = { ResourceIds: [VpcId], ResourceType: "VPC" as const, LogDestination: LOGS, DeliverLogsPermissionArn: ROLE };
        const { FlowLogIds } = await ec2.createFlowLogs(request);
        expect((await ec2.describeFlowLogs({ FlowLogIds })).FlowLogs).toMatchObject([
            {
                ResourceId: VpcId,
                TrafficType: "ALL",
                LogGroupName: "flows",
                FlowLogStatus: "ACTIVE",
                LogFormat: expect.stringMatching(/^\$\{version\} \$\{account-id\} /),
            },
        ]);
        await refused(ec2.createFlowLogs(request), "FlowLogAlreadyExists");
        await ec2.deleteFlowLogs({ FlowLogIds });
        expect((await ec2.describeFlowLogs()).FlowLogs).toEqual([]);
        await refused(ec2.deleteFlowLogs({ FlowLogIds }), "InvalidFlowLogId.NotFound");
    });

    test("need a role that delivers the logs, and an existing VPC", async () => {
        const { ec2, vpc } = createWorld();
        const request = { ResourceIds: [await vpc()], ResourceType: "VPC" as const, LogDestination: LOGS };
        await refused(ec2.createFlowLogs(request), "InvalidParameter");
        await refused(ec2.createFlowLogs({ ...request, ResourceIds: ["vpc-1"] }), "InvalidVpcID.NotFound");
    });
});
