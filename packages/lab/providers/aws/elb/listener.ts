import type * as aws from "@pulumi/aws";
import type { Plain, ResourceDefinition } from "../definition.ts";
import { tagList, tagMap } from "../ec2/tags.ts";
import { elbTagging, elbTags, withMark } from "./tags.ts";

type ListenerArgs = Plain<aws.lb.ListenerArgs>;

export const listener: ResourceDefinition<ListenerArgs, Plain<aws.lb.ListenerState>> = {
    noun: "ELBv2 Listener",
    forceNew: ["loadBalancerArn"],
    computed: ["arn", "tcpIdleTimeoutSeconds"],
    tagging: elbTagging,
    find: {
        byMark: async (context, { loadBalancerArn }) => {
            const { Listeners } = await context.api.elb.describeListeners({ LoadBalancerArn: loadBalancerArn });
            return withMark(
                context,
                Listeners.map(({ ListenerArn }) => ListenerArn),
            );
        },
    },
    create: async (context, inputs) => {
        const { Listeners } = await context.api.elb.createListener({
            LoadBalancerArn: inputs.loadBalancerArn,
            ...listenerRequest(inputs),
            Tags: tagList(context.tags),
        });
        const [created] = Listeners;
        if (!created) throw new Error("CreateListener returned no listener");
        return created.ListenerArn;
    },
    read: async (context, arn) => {
        const { elb } = context.api;
        const [found] = (await elb.describeListeners({ ListenerArns: [arn] })).Listeners;
        if (!found) return undefined;
        const { Attributes } = await elb.describeListenerAttributes({ ListenerArn: arn });
        return {
            arn,
            loadBalancerArn: found.LoadBalancerArn,
            port: found.Port,
            protocol: found.Protocol,
            defaultActions: found.DefaultActions.map(({ Type, TargetGroupArn, Order }, i) => ({
                type: Type,
                targetGroupArn: TargetGroupArn,
                order: Order ?? i + 1,
            })),
            tcpIdleTimeoutSeconds: Number(tagMap(Attributes)["tcp.idle_timeout.seconds"]),
            tags: await elbTags(context, arn),
        };
    },
    update: async ({ api }, ListenerArn, { inputs }) => {
        await api.elb.modifyListener({ ListenerArn, ...listenerRequest(inputs) });
    },
    delete: async ({ api }, ListenerArn) => {
        await api.elb.deleteListener({ ListenerArn });
    },
};

function listenerRequest({ port = 0, protocol = "", defaultActions }: ListenerArgs) {
    return {
        Port: port,
        Protocol: protocol,
        DefaultActions: defaultActions.map(({ type, targetGroupArn = "" }) => ({
            Type: type as "forward",
            TargetGroupArn: targetGroupArn,
        })),
    };
}
