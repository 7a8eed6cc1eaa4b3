import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterFacts } from "../core/facts/schema.ts";
import { distinct, pairs, routesTo } from "../core/network/mesh.ts";

export interface TransitGatewaysArgs {
    members: readonly ClusterFacts[];
    /** The provider of a member's account and region. */
    memberProvider: (member: ClusterFacts) => aws.Provider;
    /** The provider of the mesh's own account in a region: the gateways belong to it. */
    hubProvider: (region: string) => aws.Provider;
    /** The mesh's own account. */
    hubAccountId: string;
}

/**
 * A Transit Gateway in each region, peered with those of the other regions, and an attachment of every VPC. Accounts other than the mesh's own get the
 * gateway shared through RAM, for which sharing within the organisation must be on. An attachment costs about 36 USD a month, and 0.02 USD for each GB.
 */
export class TransitGateways extends pulumi.ComponentResource {
    /** Gateway ids by region. */
    readonly gatewayIds: Record<string, pulumi.Output<string>>;
    /** What carries a member's traffic, by its name: routes from and to it, and those between regions. */
    readonly paths: Map<string, pulumi.Resource[]>;

    constructor(name: string, args: TransitGatewaysArgs, opts?: pulumi.ComponentResourceOptions) {
        super("clustermesh:index:TransitGateways", name, {}, opts);
        const parent = this;
        const { members, memberProvider, hubProvider, hubAccountId } = args;
        const regions = distinct(members.map((member) => member.region)).toSorted();

        const gateways = Object.fromEntries(regions.map((region) => [region, gateway(region)]));
        const id = (region: string) => gateways[region]?.id ?? pulumi.output("");
        const shares = Object.fromEntries(regions.map((region) => [region, share(region)]));
        const attachments = new Map(members.map((member) => [member.name, attach(member)]));
        const betweenRegions = pairs(regions).flatMap(connectRegions);
        this.paths = new Map(members.map(({ name }) => [name, [...betweenRegions]]));
        for (const from of members) {
            for (const to of members.filter((other) => other !== from)) {
                const routes = routeFromVpc(from, to);
                for (const { name } of [from, to]) this.paths.get(name)?.push(...routes);
            }
        }

        this.gatewayIds = Object.fromEntries(regions.map((region) => [region, id(region)]));
        this.registerOutputs({ gatewayIds: this.gatewayIds });

        function gateway(region: string) {
            return new aws.ec2transitgateway.TransitGateway(
                `${name}-${region}`,
                // No attachment is let in unseen (CKV_AWS_331): those of other accounts are accepted one by one below.
                { description: `cluster mesh ${name}`, autoAcceptSharedAttachments: "disable", dnsSupport: "enable", tags: { Name: name } },
                { parent, provider: hubProvider(region) },
            );
        }

        /** Lets the other accounts of the region attach their VPCs. */
        function share(region: string): pulumi.Resource[] {
            const accounts = distinct(members.filter((member) => member.region === region).map((member) => member.accountId)).filter(
                (account) => account !== hubAccountId,
            );
            if (accounts.length === 0) return [];
            const hub = { parent, provider: hubProvider(region) };
            const made = new aws.ram.ResourceShare(`${name}-${region}`, { name: `${name}-${region}`, allowExternalPrincipals: false }, hub);
            return [
                new aws.ram.ResourceAssociation(
                    `${name}-${region}`,
                    { resourceArn: gateways[region]?.arn ?? "", resourceShareArn: made.arn },
                    hub,
                ),
                ...accounts.map(
                    (principal) =>
                        new aws.ram.PrincipalAssociation(`${name}-${region}-${principal}`, { principal, resourceShareArn: made.arn }, hub),
                ),
            ];
        }

        /** The member's attachment, once it can carry traffic. */
        function attach(member: ClusterFacts): pulumi.Resource {
            const attachment = new aws.ec2transitgateway.VpcAttachment(
                member.name,
                {
                    transitGatewayId: id(member.region),
                    vpcId: member.vpcId,
                    subnetIds: member.attachmentSubnetIds,
                    tags: { Name: `${name}-${member.name}` },
                },
                { parent, provider: memberProvider(member), dependsOn: shares[member.region] ?? [] },
            );
            if (member.accountId === hubAccountId) return attachment;
            return new aws.ec2transitgateway.VpcAttachmentAccepter(
                member.name,
                { transitGatewayAttachmentId: attachment.id, tags: { Name: `${name}-${member.name}` } },
                { parent, provider: hubProvider(member.region) },
            );
        }

        /** Gateways learn the VPCs attached to them, but nothing from each other: those routes are static. */
        function connectRegions([a, b]: [string, string]): pulumi.Resource[] {
            const link = `${a}.${b}`;
            const attachment = new aws.ec2transitgateway.PeeringAttachment(
                link,
                {
                    transitGatewayId: id(a),
                    peerTransitGatewayId: id(b),
                    peerRegion: b,
                    peerAccountId: hubAccountId,
                    tags: { Name: `${name}-${link}` },
                },
                { parent, provider: hubProvider(a) },
            );
            const accepter = new aws.ec2transitgateway.PeeringAttachmentAccepter(
                link,
                { transitGatewayAttachmentId: attachment.id, tags: { Name: `${name}-${link}` } },
                { parent, provider: hubProvider(b) },
            );
            const ways = [
                { from: a, to: b },
                { from: b, to: a },
            ];
            return ways.flatMap(({ from, to }) =>
                members
                    .filter(({ region }) => region === to)
                    .flatMap((member) =>
                        member.vpcCidrs.map(
                            (destinationCidrBlock) =>
                                new aws.ec2transitgateway.Route(
                                    `${from}.${member.name}.${destinationCidrBlock}`,
                                    {
                                        destinationCidrBlock,
                                        transitGatewayAttachmentId: accepter.id,
                                        transitGatewayRouteTableId: gateways[from]?.associationDefaultRouteTableId ?? "",
                                    },
                                    { parent, provider: hubProvider(from) },
                                ),
                        ),
                    ),
            );
        }

        function routeFromVpc(from: ClusterFacts, to: ClusterFacts): pulumi.Resource[] {
            const attachment = attachments.get(from.name);
            return routesTo(from, to).map(
                ({ routeTableId, destination }) =>
                    new aws.ec2.Route(
                        `${from.name}.${to.name}.${routeTableId}.${destination}`,
                        { routeTableId, destinationCidrBlock: destination, transitGatewayId: id(from.region) },
                        // AWS refuses a route to a gateway that the VPC is not attached to.
                        { parent, provider: memberProvider(from), dependsOn: attachment ? [attachment] : [] },
                    ),
            );
        }
    }
}
