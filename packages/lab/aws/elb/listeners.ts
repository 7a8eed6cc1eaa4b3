import { AwsError } from "../error.ts";
import type { Tag } from "../filters.ts";
import type { Scope } from "../scope.ts";
import {
    attributeList,
    balancersOf,
    invalid,
    invalidConfiguration,
    LISTENERS_PER_BALANCER,
    type Listener,
    type ListenerAction,
    listeners,
    loadBalancers,
    noBalancer,
    noTargetGroup,
    targetGroups,
    withAttributes,
} from "./tables.ts";

/** The protocols of target groups that a listener of each protocol can forward to. */
const FORWARDS: Record<string, string[]> = {
    TCP: ["TCP", "TCP_UDP"],
    TLS: ["TCP", "TLS"],
    UDP: ["UDP", "TCP_UDP"],
    TCP_UDP: ["TCP_UDP"],
};

interface ListenerRequest {
    Port?: number;
    Protocol?: string;
    DefaultActions?: ListenerAction[];
}

/** The actions on listeners. */
export const listenerActions = (scope: Scope) => {
    const rows = listeners.in(scope);
    const need = (arn: string) => rows.need(arn, () => new AwsError("ListenerNotFound", "One or more listeners not found"));
    const listenersOf = (arn: string) => rows.list().filter((listener) => listener.LoadBalancerArn === arn);

    /** Throws if the balancer cannot have such a listener. `self` is the ARN of the listener that is being changed. */
    const check = (arn: string, { Port, Protocol, DefaultActions }: Required<ListenerRequest>, self?: string) => {
        const balancer = loadBalancers.in(scope).need(arn, noBalancer);
        if (Port < 1 || Port > 65535) throw invalid(`Port '${Port}' is not valid: it must be between 1 and 65535`);
        const accepted = FORWARDS[Protocol];
        if (!accepted) throw invalid(`Protocol '${Protocol}' is not supported for load balancers of type 'network'`);
        if (listenersOf(arn).some((listener) => listener.Port === Port && listener.ListenerArn !== self))
            throw new AwsError("DuplicateListener", `A listener already exists on this port for this load balancer '${arn}'`);
        if (DefaultActions.length !== 1 || DefaultActions[0]?.Type !== "forward")
            throw new AwsError(
                "InvalidLoadBalancerAction",
                "A listener of a network load balancer needs exactly one action of type 'forward'",
            );
        for (const { TargetGroupArn } of DefaultActions) {
            const group = targetGroups.in(scope).need(TargetGroupArn, noTargetGroup);
            if (group.VpcId !== balancer.VpcId)
                throw invalidConfiguration(
                    `The following target groups have a different VPC than load balancer '${arn}': ${TargetGroupArn}`,
                );
            if (!accepted.includes(group.Protocol))
                throw new AwsError(
                    "IncompatibleProtocols",
                    `Listener protocol '${Protocol}' is not supported with a target group with the target-group protocol '${group.Protocol}'`,
                );
            if (balancersOf(scope, TargetGroupArn).some((other) => other !== arn))
                throw new AwsError(
                    "TargetGroupAssociationLimit",
                    `The following target groups cannot be associated with more than one load balancer: ${TargetGroupArn}`,
                );
        }
    };

    return {
        createListener: (request: {
            LoadBalancerArn: string;
            Port: number;
            Protocol: string;
            DefaultActions: ListenerAction[];
            Tags?: Tag[];
        }) => {
            const { LoadBalancerArn, Port, Protocol, DefaultActions, Tags = [] } = request;
            check(LoadBalancerArn, { Port, Protocol, DefaultActions });
            if (listenersOf(LoadBalancerArn).length >= scope.quota(LISTENERS_PER_BALANCER))
                throw new AwsError("TooManyListeners", "The maximum number of listeners has been reached");
            const ListenerArn = `${LoadBalancerArn.replace(":loadbalancer/", ":listener/")}/${scope.hex(16)}`;
            const attributes = { "tcp.idle_timeout.seconds": "350" };
            return {
                Listeners: [
                    show(rows.put(ListenerArn, { ListenerArn, LoadBalancerArn, Port, Protocol, DefaultActions, attributes, tags: Tags })),
                ],
            };
        },

        describeListeners: ({ LoadBalancerArn, ListenerArns }: { LoadBalancerArn?: string; ListenerArns?: string[] }) => {
            if (LoadBalancerArn !== undefined) loadBalancers.in(scope).need(LoadBalancerArn, noBalancer);
            return { Listeners: (LoadBalancerArn !== undefined ? listenersOf(LoadBalancerArn) : (ListenerArns ?? []).map(need)).map(show) };
        },

        modifyListener: ({ ListenerArn, ...changes }: { ListenerArn: string } & ListenerRequest) => {
            const before = need(ListenerArn);
            const { Port = before.Port, Protocol = before.Protocol, DefaultActions = before.DefaultActions } = changes;
            check(before.LoadBalancerArn, { Port, Protocol, DefaultActions }, ListenerArn);
            return { Listeners: [show(rows.update(ListenerArn, { Port, Protocol, DefaultActions }))] };
        },

        deleteListener: ({ ListenerArn }: { ListenerArn: string }) => {
            need(ListenerArn);
            rows.delete(ListenerArn);
        },

        describeListenerAttributes: ({ ListenerArn }: { ListenerArn: string }) => ({
            Attributes: attributeList(need(ListenerArn).attributes),
        }),
        modifyListenerAttributes: ({ ListenerArn, Attributes }: { ListenerArn: string; Attributes: { Key: string; Value: string }[] }) => {
            const attributes = withAttributes(need(ListenerArn).attributes, Attributes, "Listener");
            rows.update(ListenerArn, { attributes });
            return { Attributes: attributeList(attributes) };
        },
    };
};

function show({ attributes: _, tags: __, ...listener }: Readonly<Listener>) {
    return listener;
}
