import { instances } from "../autoscaling.ts";
import { subnets, vpcs } from "../ec2/tables.ts";
import { AwsError } from "../error.ts";
import type { Tag } from "../filters.ts";
import type { Scope } from "../scope.ts";
import {
    attributeList,
    balancersOf,
    checkName,
    deregister,
    type HealthCheck,
    invalid,
    loadBalancers,
    noBalancer,
    noTargetGroup,
    register,
    TARGET_GROUPS,
    type TargetGroup,
    targetGroups,
    targets,
    targetsOf,
    withAttributes,
} from "./tables.ts";
import { healthOf } from "./target-health.ts";

const PROTOCOLS = ["TCP", "TLS", "UDP", "TCP_UDP"];
const ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "deregistration_delay.connection_termination.enabled": "false",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
};

type TargetGroupRequest = Partial<HealthCheck> & {
    Name: string;
    Protocol?: string;
    Port?: number;
    VpcId?: string;
    TargetType?: TargetGroup["TargetType"];
    IpAddressType?: string;
    Tags?: Tag[];
};

/** The actions on target groups and their targets. Whether a target accepts connections is only known where a network measures it. */
export const targetGroupActions = (scope: Scope) => {
    const rows = targetGroups.in(scope);
    const need = (arn: string) => rows.need(arn, noTargetGroup);
    const show = ({ attributes: _, tags: __, request: ___, ...group }: Readonly<TargetGroup>) => ({
        ...group,
        LoadBalancerArns: balancersOf(scope, group.TargetGroupArn),
    });

    return {
        createTargetGroup: (request: TargetGroupRequest) => {
            const { Name, Protocol, Port, VpcId, TargetType = "instance", IpAddressType = "ipv4", Tags = [], ...given } = request;
            checkName("Target group name", Name);
            if (!Protocol || !PROTOCOLS.includes(Protocol))
                throw invalid(`Protocol '${Protocol}' is not supported for target groups of network load balancers`);
            if (!Port || Port < 1 || Port > 65535) throw invalid("A port must be specified, between 1 and 65535");
            if (!VpcId) throw invalid("A VPC ID must be specified");
            if (!vpcs.in(scope).get(VpcId)) throw invalid(`The VPC ID '${VpcId}' is not found`);
            const healthCheck = validHealthCheck({
                HealthCheckProtocol: "TCP",
                HealthCheckPort: "traffic-port",
                HealthCheckEnabled: true,
                HealthCheckIntervalSeconds: 30,
                HealthCheckTimeoutSeconds: 10,
                HealthyThresholdCount: 5,
                UnhealthyThresholdCount: 2,
                ...given,
            });
            const settings = JSON.stringify([Protocol, Port, VpcId, TargetType, IpAddressType, Object.entries(healthCheck).toSorted()]);
            const same = rows.list().find((candidate) => candidate.TargetGroupName === Name);
            if (same && same.request !== settings)
                throw new AwsError(
                    "DuplicateTargetGroupName",
                    `A target group with the same name '${Name}' exists, but with different settings`,
                );
            if (same) return { TargetGroups: [show(same)] };
            if (rows.list().length >= scope.quota(TARGET_GROUPS))
                throw new AwsError("TooManyTargetGroups", "The maximum number of target groups has been reached");
            const TargetGroupArn = scope.arn("elasticloadbalancing", `targetgroup/${Name}/${scope.hex(16)}`);
            const group = rows.put(TargetGroupArn, {
                TargetGroupArn,
                TargetGroupName: Name,
                Protocol,
                Port,
                VpcId,
                TargetType,
                IpAddressType,
                ...healthCheck,
                attributes: { ...ATTRIBUTES, "preserve_client_ip.enabled": String(TargetType === "instance") },
                tags: Tags,
                request: settings,
            });
            return { TargetGroups: [show(group)] };
        },

        describeTargetGroups: ({
            TargetGroupArns,
            Names,
            LoadBalancerArn,
        }: {
            TargetGroupArns?: string[];
            Names?: string[];
            LoadBalancerArn?: string;
        } = {}) => {
            const named = Names?.map((name) => rows.list().find((group) => group.TargetGroupName === name) ?? notFound());
            if (LoadBalancerArn !== undefined) loadBalancers.in(scope).need(LoadBalancerArn, noBalancer);
            const all = (TargetGroupArns?.map(need) ?? named ?? rows.list()).map(show);
            return {
                TargetGroups: all.filter(
                    ({ LoadBalancerArns }) => LoadBalancerArn === undefined || LoadBalancerArns.includes(LoadBalancerArn),
                ),
            };
        },

        modifyTargetGroup: ({ TargetGroupArn, ...changes }: { TargetGroupArn: string } & Partial<HealthCheck>) => {
            need(TargetGroupArn);
            return { TargetGroups: [show(rows.update(TargetGroupArn, validHealthCheck({ ...need(TargetGroupArn), ...changes })))] };
        },

        /** Idempotent: a target group that does not exist is not an error. */
        deleteTargetGroup: ({ TargetGroupArn }: { TargetGroupArn: string }) => {
            if (!rows.get(TargetGroupArn)) return;
            if (balancersOf(scope, TargetGroupArn).length > 0)
                throw new AwsError("ResourceInUse", `Target group '${TargetGroupArn}' is currently in use by a listener or a rule`);
            for (const { Id } of targetsOf(scope, TargetGroupArn)) targets.in(scope).delete(`${TargetGroupArn} ${Id}`);
            rows.delete(TargetGroupArn);
        },

        describeTargetGroupAttributes: ({ TargetGroupArn }: { TargetGroupArn: string }) => ({
            Attributes: attributeList(need(TargetGroupArn).attributes),
        }),
        modifyTargetGroupAttributes: (request: { TargetGroupArn: string; Attributes: { Key: string; Value: string }[] }) => {
            const attributes = withAttributes(need(request.TargetGroupArn).attributes, request.Attributes, "Target group");
            const delay = Number(attributes["deregistration_delay.timeout_seconds"]);
            if (!(delay >= 0 && delay <= 3600))
                throw invalid("'deregistration_delay.timeout_seconds' must be between '0' and '3600' inclusive");
            rows.update(request.TargetGroupArn, { attributes });
            return { Attributes: attributeList(attributes) };
        },

        registerTargets: ({ TargetGroupArn, Targets }: { TargetGroupArn: string; Targets: { Id: string; Port?: number }[] }) => {
            const { VpcId } = need(TargetGroupArn);
            const inVpc = (id: string) => subnets.in(scope).get(instances.in(scope).get(id)?.SubnetId ?? "")?.VpcId === VpcId;
            const foreign = Targets.filter(({ Id }) => !inVpc(Id)).map(({ Id }) => Id);
            if (foreign.length > 0)
                throw new AwsError(
                    "InvalidTarget",
                    `The following targets are not in the target group VPC '${VpcId}': '${foreign.join("', '")}'`,
                );
            for (const { Id, Port } of Targets) register(scope, TargetGroupArn, Id, Port);
        },
        deregisterTargets: ({ TargetGroupArn, Targets }: { TargetGroupArn: string; Targets: { Id: string }[] }) => {
            need(TargetGroupArn);
            for (const { Id } of Targets) deregister(scope, TargetGroupArn, Id);
        },
        describeTargetHealth: ({ TargetGroupArn }: { TargetGroupArn: string }) => {
            need(TargetGroupArn);
            return {
                TargetHealthDescriptions: targetsOf(scope, TargetGroupArn).map((target) => ({
                    Target: { Id: target.Id, Port: target.Port },
                    HealthCheckPort: String(target.Port),
                    TargetHealth: healthOf(scope, target),
                })),
            };
        },
    };
};

function validHealthCheck<T extends HealthCheck>(check: T): T {
    const bounds = [
        ["HealthCheckIntervalSeconds", "Health check interval", 5, 300],
        ["HealthCheckTimeoutSeconds", "Health check timeout", 2, 120],
        ["HealthyThresholdCount", "Healthy threshold count", 2, 10],
        ["UnhealthyThresholdCount", "Unhealthy threshold count", 2, 10],
    ] as const;
    for (const [field, name, min, max] of bounds)
        if (check[field] < min || check[field] > max) throw invalid(`${name} must be between ${min} and ${max}`);
    return check;
}

function notFound(): never {
    throw noTargetGroup();
}
