import type { Package, Provider } from "../provider.ts";
import { isProperties, type Properties } from "../values.ts";
import { LAB_PACE, type Pace } from "./api.ts";
import * as gateways from "./ec2/gateways.ts";
import * as groups from "./ec2/groups.ts";
import * as instances from "./ec2/instances.ts";
import * as peering from "./ec2/peering.ts";
import * as routes from "./ec2/routes.ts";
import * as subnets from "./ec2/subnets.ts";
import * as attachments from "./ec2/transit-attachments.ts";
import * as transit from "./ec2/transit-gateway.ts";
import * as vpcs from "./ec2/vpc.ts";
import * as addons from "./eks/addons.ts";
import { cluster } from "./eks/cluster.ts";
import { nodeGroup } from "./eks/nodegroup.ts";
import * as elb from "./elb.ts";
import * as targets from "./elb-targets.ts";
import { FUNCTIONS } from "./functions.ts";
import * as iam from "./iam.ts";
import * as kmsLogs from "./kms-logs.ts";
import * as ram from "./ram.ts";
import { type Bound, bound } from "./resource.ts";
import { api, type Session } from "./session.ts";

export interface AwsPackageOptions {
    simulation: Session["simulation"];
    /** The account whose credentials the program is run with. */
    account: string;
    pace?: Pace;
}

/** By token, each as the real package has it. */
export const TYPES: Record<string, Bound> = {
    "aws:ec2/vpc:Vpc": bound(vpcs.vpc),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": bound(vpcs.defaultSecurityGroup),
    "aws:ec2/internetGateway:InternetGateway": bound(gateways.internetGateway),
    "aws:ec2/subnet:Subnet": bound(subnets.subnet),
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation": bound(subnets.subnetCidrReservation),
    "aws:ec2/routeTable:RouteTable": bound(routes.routeTable),
    "aws:ec2/route:Route": bound(routes.route),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": bound(routes.routeTableAssociation),
    "aws:ec2/eip:Eip": bound(gateways.eip),
    "aws:ec2/natGateway:NatGateway": bound(gateways.natGateway),
    "aws:ec2/flowLog:FlowLog": bound(instances.flowLog),
    "aws:ec2/launchTemplate:LaunchTemplate": bound(instances.launchTemplate),
    "aws:ec2/securityGroup:SecurityGroup": bound(groups.securityGroup),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": bound(groups.securityGroupIngressRule),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": bound(groups.securityGroupEgressRule),
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": bound(peering.vpcPeeringConnection),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": bound(peering.vpcPeeringConnectionAccepter),
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": bound(peering.peeringConnectionOptions),
    "aws:ec2transitgateway/transitGateway:TransitGateway": bound(transit.transitGateway),
    "aws:ec2transitgateway/route:Route": bound(transit.transitGatewayRoute),
    "aws:ec2transitgateway/vpcAttachment:VpcAttachment": bound(attachments.vpcAttachment),
    "aws:ec2transitgateway/vpcAttachmentAccepter:VpcAttachmentAccepter": bound(attachments.vpcAttachmentAccepter),
    "aws:ec2transitgateway/peeringAttachment:PeeringAttachment": bound(attachments.peeringAttachment),
    "aws:ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter": bound(attachments.peeringAttachmentAccepter),
    "aws:ram/resourceShare:ResourceShare": bound(ram.resourceShare),
    "aws:ram/resourceAssociation:ResourceAssociation": bound(ram.resourceAssociation),
    "aws:ram/principalAssociation:PrincipalAssociation": bound(ram.principalAssociation),
    "aws:iam/role:Role": bound(iam.role),
    "aws:iam/rolePolicy:RolePolicy": bound(iam.rolePolicy),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": bound(iam.rolePolicyAttachment),
    "aws:kms/key:Key": bound(kmsLogs.key),
    "aws:cloudwatch/logGroup:LogGroup": bound(kmsLogs.logGroup),
    "aws:lb/loadBalancer:LoadBalancer": bound(elb.loadBalancer),
    "aws:lb/listener:Listener": bound(elb.listener),
    "aws:lb/targetGroup:TargetGroup": bound(targets.targetGroup),
    "aws:eks/cluster:Cluster": bound(cluster),
    "aws:eks/nodeGroup:NodeGroup": bound(nodeGroup),
    "aws:eks/addon:Addon": bound(addons.addon),
    "aws:eks/accessEntry:AccessEntry": bound(addons.accessEntry),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": bound(addons.accessPolicyAssociation),
    "aws:autoscaling/attachment:Attachment": bound(targets.attachment),
};

/** A stand-in for the provider plugin `aws`, over a simulated AWS. It says so of itself only here: to the program it is the real one. */
export function awsPackage({ simulation, account, pace = LAB_PACE }: AwsPackageOptions): Package {
    return {
        name: "aws",
        version: "7.48.0",
        open: (engine): Provider => {
            let session: Session | undefined;
            const configured = () => {
                if (!session) throw new Error("the provider aws is not configured");
                return session;
            };
            return {
                configure: async (config) => {
                    session = await sessionOf(config, { simulation, account, pace, engine, known: new Map() });
                },
                // Another account or region is another world: nothing made in the one is to be found in the other.
                diffConfig: ({ oldInputs, news }) => {
                    const differs = Object.keys({ ...oldInputs, ...news }).filter(
                        (key) => key !== "version" && JSON.stringify(oldInputs[key]) !== JSON.stringify(news[key]),
                    );
                    const replaces = differs.filter((key) => key === "region");
                    const detailed = Object.fromEntries(differs.map((key) => [key, "update" as const]));
                    return { changes: differs.length > 0, detailed, replaces };
                },
                resource: (type) => (TYPES[type] ? TYPES[type](configured()) : undefined),
                invoke: (token) => {
                    const lookup = FUNCTIONS[token];
                    return (
                        lookup &&
                        (async ({ args, signal }) => ({
                            result: (await lookup(api(configured(), signal), args, configured())) as Properties,
                        }))
                    );
                },
            };
        },
    };
}

/** Where a configuration leads: the roles to assume are taken on one after the other, each by the one before. */
async function sessionOf(
    config: Properties,
    base: Pick<Session, "simulation" | "account" | "pace" | "engine" | "known">,
): Promise<Session> {
    const region = config.region ?? process.env.AWS_REGION;
    if (typeof region !== "string" || region === "") throw new Error("invalid AWS Region: set aws:region, or region on the provider");
    const partition = region.startsWith("cn-") ? "aws-cn" : region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
    let session: Session = { ...base, region, partition, principal: undefined, defaultTags: tagsOf(nested(config.defaultTags)) };
    const roles = nested(config.assumeRoles);
    for (const role of Array.isArray(roles) ? roles : []) {
        if (!isProperties(role) || typeof role.roleArn !== "string") continue;
        const { AssumedRoleUser } = await api(session, AbortSignal.timeout(60_000))
            .sts.assumeRole({
                RoleArn: role.roleArn,
                RoleSessionName: String(role.sessionName ?? "pulumi"),
                ...(typeof role.externalId === "string" && { ExternalId: role.externalId }),
            })
            .catch((error: unknown) => {
                throw new Error(`Cannot assume IAM Role. IAM Role (${role.roleArn}) cannot be assumed: ${String(error)}`, { cause: error });
            });
        session = { ...session, account: role.roleArn.split(":")[4] ?? session.account, principal: AssumedRoleUser.Arn };
    }
    return session;
}

function tagsOf(defaultTags: unknown): Record<string, string> {
    const { tags = {} } = (defaultTags ?? {}) as { tags?: Record<string, string> };
    return tags;
}

/** The engine sends what is no string as JSON in one. */
function nested(value: Properties[string]): Properties[string] {
    return typeof value === "string" && value !== "" ? (JSON.parse(value) as Properties[string]) : value;
}
