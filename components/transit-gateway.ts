import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterFacts } from "../core/facts/schema.ts";
import { distinct, pairs, routesTo } from "../core/network/mesh.ts";

export interface TransitGatewaysArgs {
    members: readonly ClusterFacts[];
    /** The provider of a member's account and region. */
    memberProvider: (member: ClusterFacts) => aws.Provider;
    /** The provider of the mesh's own account in a region: the account owns the gateways. */
    hubProvider: (region: string) => aws.Provider;
    /** The mesh's own account. */
    hubAccountId: string;
}

/** What the resources of a mesh's gateways have in common. */
interface GatewayContext {
    name: string;
    args: TransitGatewaysArgs;
    gateways: Record<string, aws.ec2transitgateway.TransitGateway>;
    parent: TransitGateways;
}

/**
 * A Transit Gateway in each region, peered with those of the other regions, and an attachment of every VPC. The gateway is shared through RAM with accounts other
 * than the mesh's own, which requires resource sharing within the organization. An attachment costs about 36 USD a month plus 0.02 USD per GB.
 */
export class TransitGateways extends pulumi.ComponentResource {
    /** Gateway ids by region. */
    readonly gatewayIds: Record<string, pulumi.Output<string>>;
    /** The resources that carry a member's traffic, by its name: routes from and to it, and routes between regions. */
    readonly paths: Map<string, pulumi.Resource[]>;

    constructor(name: string, args: TransitGatewaysArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:TransitGateways", name, {}, opts);
        const { members } = args;
        const regions = distinct(members.map((member) => member.region)).toSorted();

        const gateways = Object.fromEntries(regions.map((region) => [region, transitGateway(name, region, args, this)]));
        const context: GatewayContext = { name, args, gateways, parent: this };
        const shares = Object.fromEntries(regions.map((region) => [region, shareGateway(context, region)]));
        const attachments = new Map(members.map((member) => [member.name, attachVpc(context, member, shares[member.region] ?? [])]));
        const betweenRegions = pairs(regions).flatMap((pair) => connectRegions(context, pair));
        this.paths = new Map(members.map(({ name }) => [name, [...betweenRegions]]));
        for (const from of members) {
            for (const to of members.filter((other) => other !== from)) {
                const routes = routeFromVpc(context, from, to, attachments.get(from.name));
                for (const { name } of [from, to]) this.paths.get(name)?.push(...routes);
            }
        }

        this.gatewayIds = Object.fromEntries(regions.map((region) => [region, gatewayId(context, region)]));
        this.registerOutputs({ gatewayIds: this.gatewayIds });
    }
}

function transitGateway(name: string, region: string, { hubProvider }: TransitGatewaysArgs, parent: TransitGateways) {
    return new aws.ec2transitgateway.TransitGateway(
        `${name}-${region}`,
        // Attachments are not accepted automatically (CKV_AWS_331): attachVpc accepts those of other accounts one by one.
        { description: `cluster mesh ${name}`, autoAcceptSharedAttachments: "disable", dnsSupport: "enable", tags: { Name: name } },
        { parent, provider: hubProvider(region) },
    );
}

function gatewayId({ gateways }: GatewayContext, region: string): pulumi.Output<string> {
    return gateways[region]?.id ?? pulumi.output("");
}

/** Shares the gateway of a region with the other accounts there, so that they can attach their VPCs. */
function shareGateway({ name, args, gateways, parent }: GatewayContext, region: string): pulumi.Resource[] {
    const { members, hubProvider, hubAccountId } = args;
    const here = members.filter((member) => member.region === region);
    const accounts = distinct(here.map((member) => member.accountId)).filter((account) => account !== hubAccountId);
    if (accounts.length === 0) return [];
    const opts = { parent, provider: hubProvider(region) };
    const share = new aws.ram.ResourceShare(`${name}-${region}`, { name: `${name}-${region}`, allowExternalPrincipals: false }, opts);
    return [
        new aws.ram.ResourceAssociation(
            `${name}-${region}`,
            { resourceArn: gateways[region]?.arn ?? "", resourceShareArn: share.arn },
            opts,
        ),
        ...accounts.map(
            (principal) =>
                new aws.ram.PrincipalAssociation(`${name}-${region}-${principal}`, { principal, resourceShareArn: share.arn }, opts),
        ),
    ];
}

/** The member's attachment, once it can carry traffic. */
function attachVpc(context: GatewayContext, member: ClusterFacts, dependsOn: pulumi.Resource[]): pulumi.Resource {
    const { name, parent } = context;
    const { memberProvider, hubProvider, hubAccountId } = context.args;
    const tags = { Name: `${name}-${member.name}` };
    const attachment = new aws.ec2transitgateway.VpcAttachment(
        member.name,
        { transitGatewayId: gatewayId(context, member.region), vpcId: member.vpcId, subnetIds: member.attachmentSubnetIds, tags },
        { parent, provider: memberProvider(member), dependsOn },
    );
    if (member.accountId === hubAccountId) return attachment;
    return new aws.ec2transitgateway.VpcAttachmentAccepter(
        member.name,
        { transitGatewayAttachmentId: attachment.id, tags },
        { parent, provider: hubProvider(member.region) },
    );
}

/** Peers the gateways of two regions. Gateways learn the VPCs attached to them, but nothing from each other: the routes between regions are static. */
function connectRegions(context: GatewayContext, [a, b]: [string, string]): pulumi.Resource[] {
    const { name, parent } = context;
    const { hubProvider, hubAccountId } = context.args;
    const link = `${a}.${b}`;
    const tags = { Name: `${name}-${link}` };
    const attachment = new aws.ec2transitgateway.PeeringAttachment(
        link,
        {
            transitGatewayId: gatewayId(context, a),
            peerTransitGatewayId: gatewayId(context, b),
            peerRegion: b,
            peerAccountId: hubAccountId,
            tags,
        },
        { parent, provider: hubProvider(a) },
    );
    const accepter = new aws.ec2transitgateway.PeeringAttachmentAccepter(
        link,
        { transitGatewayAttachmentId: attachment.id, tags },
        { parent, provider: hubProvider(b) },
    );
    return [...routeToRegion(context, a, b, accepter), ...routeToRegion(context, b, a, accepter)];
}

/** Routes in the gateway of region `from` to every VPC of region `to`. */
function routeToRegion(
    { args, gateways, parent }: GatewayContext,
    from: string,
    to: string,
    attachment: aws.ec2transitgateway.PeeringAttachmentAccepter,
): pulumi.Resource[] {
    const destinations = args.members
        .filter(({ region }) => region === to)
        .flatMap(({ name, vpcCidrs }) => vpcCidrs.map((destinationCidrBlock) => ({ name, destinationCidrBlock })));
    return destinations.map(
        ({ name, destinationCidrBlock }) =>
            new aws.ec2transitgateway.Route(
                `${from}.${name}.${destinationCidrBlock}`,
                {
                    destinationCidrBlock,
                    transitGatewayAttachmentId: attachment.id,
                    transitGatewayRouteTableId: gateways[from]?.associationDefaultRouteTableId ?? "",
                },
                { parent, provider: args.hubProvider(from) },
            ),
    );
}

function routeFromVpc(
    context: GatewayContext,
    from: ClusterFacts,
    to: ClusterFacts,
    attachment: pulumi.Resource | undefined,
): pulumi.Resource[] {
    return routesTo(from, to).map(
        ({ routeTableId, destination }) =>
            new aws.ec2.Route(
                `${from.name}.${to.name}.${routeTableId}.${destination}`,
                { routeTableId, destinationCidrBlock: destination, transitGatewayId: gatewayId(context, from.region) },
                // AWS refuses a route to a gateway to which the VPC is not attached.
                {
                    parent: context.parent,
                    provider: context.args.memberProvider(from),
                    dependsOn: attachment ? [attachment] : [],
                },
            ),
    );
}
