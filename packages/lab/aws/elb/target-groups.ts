import { instances } from "../autoscaling.ts";
import { subnets, vpcs } from "../ec2/tables.ts";
import { AwsError } from "../error.ts";
import type { Tag } from "../filters.ts";
import type { Memory } from "../memory.ts";
import { pathBetween } from "../path/path.ts";
import type { Scope } from "../scope.ts";
import { balancersOf } from "./listeners.ts";
import {
    attributeList,
    checkName,
    deregister,
    type HealthCheck,
    invalid,
    type LoadBalancer,
    loadBalancers,
    noBalancer,
    noTargetGroup,
    register,
    TARGET_GROUPS,
    type Target,
    type TargetGroup,
    targetGroups,
    targets,
    withAttributes,
} from "./tables.ts";

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

/** How a target is, and why if it is not healthy. */
export interface TargetHealth {
    State: "initial" | "healthy" | "unhealthy" | "draining" | "unused";
    Reason?: string;
    Description?: string;
}

/** How a target of a group is. */
export function healthOf(scope: Scope, { TargetGroupArn, Id, Port, State }: Readonly<Target>): TargetHealth {
    if (State === "draining")
        return { State, Reason: "Target.DeregistrationInProgress", Description: "Target deregistration is in progress" };
    const balancers = balancersOf(scope, TargetGroupArn).flatMap((arn) => loadBalancers.in(scope).get(arn) ?? []);
    const zones = balancers.flatMap(({ AvailabilityZones }) => AvailabilityZones);
    if (zones.length === 0)
        return {
            State: "unused",
            Reason: "Target.NotInUse",
            Description: "Target group is not configured to receive traffic from the load balancer",
        };
    const instance = instances.in(scope).get(Id);
    if (!instance || !zones.some(({ ZoneName }) => ZoneName === instance.AvailabilityZone))
        return {
            State: "unused",
            Reason: "Target.NotInUse",
            Description: "Target is in an Availability Zone that is not enabled for the load balancer",
        };
    const found = measured.get(scope.memory);
    const state = found ? (found.get(`${TargetGroupArn} ${Id}`) ?? "initial") : State;
    if (state === "initial") return { State: state, Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress" };
    const isHealthy = found ? state === "healthy" : balancers.every((one) => reaches(scope, one, instance.PrivateIpAddress, Port));
    if (!isHealthy) return { State: "unhealthy", Reason: "Target.FailedHealthChecks", Description: "Health checks failed" };
    return { State: "healthy" };
}

/**
 * What real checks have found of the targets of a simulation, by target group and target, where a network makes some: it then takes the place of what can
 * be computed. Not kept in the simulation's file, as nothing of it holds after a restart.
 */
const measured = new WeakMap<Memory, ReadonlyMap<string, "healthy" | "unhealthy">>();

/** @param found undefined: nobody measures any more */
export function setMeasuredHealth({ memory }: Scope, found: ReadonlyMap<string, "healthy" | "unhealthy"> | undefined): void {
    if (found) measured.set(memory, found);
    else measured.delete(memory);
}

/** Whether a balancer's checks get through to a target: routes and the rules of both their security groups. */
function reaches(scope: Scope, { VpcId: vpcId, AvailabilityZones }: Readonly<LoadBalancer>, address: string, port: number): boolean {
    const { account, region } = scope;
    const place = { account, region, vpcId };
    const own = AvailabilityZones.flatMap(({ LoadBalancerAddresses }) => LoadBalancerAddresses.map((one) => one.PrivateIPv4Address));
    return own.some((from) => pathBetween(scope, { ...place, address: from }, { ...place, address }, { protocol: "tcp", port }).open);
}

type TargetGroupRequest = Partial<HealthCheck> & {
    Name: string;
    Protocol?: string;
    Port?: number;
    VpcId?: string;
    TargetType?: TargetGroup["TargetType"];
    IpAddressType?: string;
    Tags?: Tag[];
};

/** Target groups and the instances in them. Whether something listens at a target is looked at only where a network measures it. */
export const targetGroupActions = (scope: Scope) => {
    const rows = targetGroups.in(scope);
    const need = (arn: string) => rows.need(arn, noTargetGroup);
    const show = ({ attributes: _, tags: __, asked: ___, ...group }: Readonly<TargetGroup>) => ({
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
            const check = checked({
                HealthCheckProtocol: "TCP",
                HealthCheckPort: "traffic-port",
                HealthCheckEnabled: true,
                HealthCheckIntervalSeconds: 30,
                HealthCheckTimeoutSeconds: 10,
                HealthyThresholdCount: 5,
                UnhealthyThresholdCount: 2,
                ...given,
            });
            const asked = JSON.stringify([Protocol, Port, VpcId, TargetType, IpAddressType, Object.entries(check).toSorted()]);
            const same = rows.list().find((one) => one.TargetGroupName === Name);
            if (same && same.asked !== asked)
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
                ...check,
                attributes: { ...ATTRIBUTES, "preserve_client_ip.enabled": String(TargetType === "instance") },
                tags: Tags,
                asked,
            });
            return { TargetGroups: [show(group)] };
        },

        describeTargetGroups: ({
            TargetGroupArns,
            Names,
            LoadBalancerArn: of,
        }: {
            TargetGroupArns?: string[];
            Names?: string[];
            LoadBalancerArn?: string;
        } = {}) => {
            const named = Names?.map((name) => rows.list().find((one) => one.TargetGroupName === name) ?? notFound());
            if (of !== undefined) loadBalancers.in(scope).need(of, noBalancer);
            const all = (TargetGroupArns?.map(need) ?? named ?? rows.list()).map(show);
            return { TargetGroups: all.filter(({ LoadBalancerArns }) => of === undefined || LoadBalancerArns.includes(of)) };
        },

        modifyTargetGroup: ({ TargetGroupArn, ...changes }: { TargetGroupArn: string } & Partial<HealthCheck>) => {
            need(TargetGroupArn);
            return { TargetGroups: [show(rows.update(TargetGroupArn, checked({ ...need(TargetGroupArn), ...changes })))] };
        },

        /** Deleting one that is not there is no error. */
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
            const strangers = Targets.filter(({ Id }) => !inVpc(Id)).map(({ Id }) => Id);
            if (strangers.length > 0)
                throw new AwsError(
                    "InvalidTarget",
                    `The following targets are not in the target group VPC '${VpcId}': '${strangers.join("', '")}'`,
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

/** The targets of a group, in the order of their registration. */
export function targetsOf(scope: Scope, arn: string): Readonly<Target>[] {
    return targets
        .in(scope)
        .list()
        .filter(({ TargetGroupArn }) => TargetGroupArn === arn);
}

function checked<T extends HealthCheck>(check: T): T {
    const bounds = [
        ["HealthCheckIntervalSeconds", "Health check interval", 5, 300],
        ["HealthCheckTimeoutSeconds", "Health check timeout", 2, 120],
        ["HealthyThresholdCount", "Healthy threshold count", 2, 10],
        ["UnhealthyThresholdCount", "Unhealthy threshold count", 2, 10],
    ] as const;
    for (const [field, name, least, most] of bounds)
        if (check[field] < least || check[field] > most) throw invalid(`${name} must be between ${least} and ${most}`);
    return check;
}

function notFound(): never {
    throw noTargetGroup();
}
