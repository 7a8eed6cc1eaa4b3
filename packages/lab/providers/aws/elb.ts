import type * as aws from "@pulumi/aws";
import { tagList, tagMap } from "./ec2/common.ts";
import { awaited, type Context, type Kind, type Plain, type Tagging, type Tags, untilGone } from "./kind.ts";

type BalancerArgs = Plain<aws.lb.LoadBalancerArgs>;
type ListenerArgs = Plain<aws.lb.ListenerArgs>;

/** Tags of all that ELB keeps. */
export const elbTagging: Tagging = {
    set: ({ api }, arn, tags) => api.elb.addTags({ ResourceArns: [arn], Tags: tagList(tags) }),
    unset: ({ api }, arn, TagKeys) => api.elb.removeTags({ ResourceArns: [arn], TagKeys }),
};

export async function elbTags({ api }: Context, arn: string): Promise<Tags> {
    const { TagDescriptions } = await api.elb.describeTags({ ResourceArns: [arn] });
    return tagMap(TagDescriptions[0]?.Tags);
}

/** Those of `arns` that have the resource's mark: ELB does not search by tags. */
export async function elbMarked({ api, mark }: Context, arns: string[]): Promise<string[]> {
    if (arns.length === 0) return [];
    const { TagDescriptions } = await api.elb.describeTags({ ResourceArns: arns });
    return TagDescriptions.filter(({ Tags }) => tagMap(Tags)[mark.key] === mark.value).map(({ ResourceArn }) => ResourceArn);
}

/** The attributes that differ from what is wanted. */
export function unlike(is: readonly { Key: string; Value: string }[], wanted: Record<string, unknown>) {
    const current = tagMap(is);
    return Object.entries(wanted)
        .filter(([key, value]) => value !== undefined && String(value) !== current[key])
        .map(([Key, value]) => ({ Key, Value: String(value) }));
}

async function findBalancer({ api }: Context, arn: string) {
    return (await api.elb.describeLoadBalancers({ LoadBalancerArns: [arn] })).LoadBalancers[0];
}

export const loadBalancer: Kind<BalancerArgs, Plain<aws.lb.LoadBalancerState>> = {
    noun: "ELBv2 network Load Balancer",
    forceNew: ["name", "namePrefix", "internal", "loadBalancerType", "subnetMappings", "subnets", "ipAddressType"],
    defaults: { internal: false, loadBalancerType: "application", enableDeletionProtection: false },
    unreadable: ["namePrefix"],
    autoName: "name",
    computed: ["arn", "arnSuffix", "dnsName", "name", "vpcId", "zoneId", "ipAddressType", "subnets"],
    tagging: elbTagging,
    minutes: 10,
    find: {
        marked: async (context) => {
            const { LoadBalancers } = await context.api.elb.describeLoadBalancers();
            return elbMarked(
                context,
                LoadBalancers.map(({ LoadBalancerArn }) => LoadBalancerArn),
            );
        },
    },
    make: async (context, inputs) => {
        const { LoadBalancers } = await context.api.elb.createLoadBalancer({
            Name: inputs.name ?? `${inputs.namePrefix ?? ""}${context.unique(26)}`,
            Type: inputs.loadBalancerType,
            Scheme: inputs.internal ? "internal" : "internet-facing",
            Subnets: inputs.subnets,
            SubnetMappings: inputs.subnetMappings?.map(({ subnetId, privateIpv4Address }) => ({
                SubnetId: subnetId,
                PrivateIPv4Address: privateIpv4Address,
            })),
            SecurityGroups: inputs.securityGroups,
            IpAddressType: inputs.ipAddressType,
            Tags: tagList(context.tags),
        });
        const [made] = LoadBalancers;
        if (!made) throw new Error("AWS has made no load balancer");
        return made.LoadBalancerArn;
    },
    settle: async (context, arn, inputs) => {
        await context.until(`ELBv2 Load Balancer (${arn})`, "active", async () =>
            awaited((await findBalancer(context, arn))?.State.Code, ["active"], ["provisioning"]),
        );
        const { elb } = context.api;
        const { Attributes } = await elb.describeLoadBalancerAttributes({ LoadBalancerArn: arn });
        const changed = unlike(Attributes, {
            "load_balancing.cross_zone.enabled": inputs.enableCrossZoneLoadBalancing,
            "deletion_protection.enabled": inputs.enableDeletionProtection,
            "dns_record.client_routing_policy": inputs.dnsRecordClientRoutingPolicy,
        });
        if (changed.length > 0) await elb.modifyLoadBalancerAttributes({ LoadBalancerArn: arn, Attributes: changed });
    },
    read: async (context, arn, olds) => {
        const found = await findBalancer(context, arn);
        if (!found) return undefined;
        const { Attributes } = await context.api.elb.describeLoadBalancerAttributes({ LoadBalancerArn: arn });
        const attributes = tagMap(Attributes);
        return {
            arn,
            arnSuffix: arn.split(":loadbalancer/")[1],
            name: found.LoadBalancerName,
            dnsName: found.DNSName,
            zoneId: found.CanonicalHostedZoneId,
            vpcId: found.VpcId,
            internal: found.Scheme === "internal",
            loadBalancerType: found.Type,
            ipAddressType: found.IpAddressType,
            securityGroups: found.SecurityGroups,
            subnets: found.AvailabilityZones.map(({ SubnetId }) => SubnetId),
            subnetMappings: found.AvailabilityZones.map(({ SubnetId, LoadBalancerAddresses }) => ({
                subnetId: SubnetId,
                // Of an address that nobody asked for the real provider tells nothing.
                ...(olds.subnetMappings?.some((one) => one.privateIpv4Address) && {
                    privateIpv4Address: LoadBalancerAddresses[0]?.PrivateIPv4Address,
                }),
            })),
            enableCrossZoneLoadBalancing: attributes["load_balancing.cross_zone.enabled"] === "true",
            enableDeletionProtection: attributes["deletion_protection.enabled"] === "true",
            dnsRecordClientRoutingPolicy: attributes["dns_record.client_routing_policy"],
            tags: await elbTags(context, arn),
        };
    },
    // Attributes are brought to what is wanted in `settle`.
    update: async ({ api }, arn, { inputs, has }) => {
        if (has("securityGroups")) await api.elb.setSecurityGroups({ LoadBalancerArn: arn, SecurityGroups: inputs.securityGroups ?? [] });
    },
    remove: async (context, arn) => {
        const { elb, ec2 } = context.api;
        await elb.deleteLoadBalancer({ LoadBalancerArn: arn });
        // Its interfaces outlive it by minutes, and keep the subnets and groups from being deleted.
        const Filters = [{ Name: "requester-id", Values: ["amazon-elb"] }];
        const description = `ELB ${arn.split(":loadbalancer/")[1]}`;
        await untilGone(context, `interfaces of ELBv2 Load Balancer (${arn})`, [], async () => {
            const { NetworkInterfaces } = await ec2.describeNetworkInterfaces({ Filters });
            return NetworkInterfaces.find(({ Description }) => Description === description)?.Status;
        });
    },
};

export const listener: Kind<ListenerArgs, Plain<aws.lb.ListenerState>> = {
    noun: "ELBv2 Listener",
    forceNew: ["loadBalancerArn"],
    computed: ["arn", "tcpIdleTimeoutSeconds"],
    tagging: elbTagging,
    find: {
        marked: async (context, { loadBalancerArn }) => {
            const { Listeners } = await context.api.elb.describeListeners({ LoadBalancerArn: loadBalancerArn });
            return elbMarked(
                context,
                Listeners.map(({ ListenerArn }) => ListenerArn),
            );
        },
    },
    make: async (context, inputs) => {
        const { Listeners } = await context.api.elb.createListener({
            LoadBalancerArn: inputs.loadBalancerArn,
            ...listened(inputs),
            Tags: tagList(context.tags),
        });
        const [made] = Listeners;
        if (!made) throw new Error("AWS has made no listener");
        return made.ListenerArn;
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
        await api.elb.modifyListener({ ListenerArn, ...listened(inputs) });
    },
    remove: async ({ api }, ListenerArn) => {
        await api.elb.deleteListener({ ListenerArn });
    },
};

function listened({ port = 0, protocol = "", defaultActions }: ListenerArgs) {
    return {
        Port: port,
        Protocol: protocol,
        DefaultActions: defaultActions.map(({ type, targetGroupArn = "" }) => ({
            Type: type as "forward",
            TargetGroupArn: targetGroupArn,
        })),
    };
}
