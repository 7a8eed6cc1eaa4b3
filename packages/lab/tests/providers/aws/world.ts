import type { Properties } from "../../../providers/values.ts";
import type { Resource, Run } from "./harness.ts";

/** Prerequisites of other resources, created on first use. */
export class World {
    readonly #run: Run;
    readonly #created = new Map<string, Promise<Resource>>();
    constructor(run: Run) {
        this.#run = run;
    }

    ensure(token: string, name: string, args: () => Properties | Promise<Properties>): Promise<Resource> {
        const key = `${token} ${name}`;
        const created = this.#created.get(key) ?? Promise.resolve(args()).then((all) => this.#run.create(token, name, all));
        this.#created.set(key, created);
        return created;
    }
    async vpc(name = "vpc", block = "10.0"): Promise<string> {
        const args = { cidrBlock: `${block}.0.0/16`, enableDnsHostnames: true };
        return (await this.ensure("aws:ec2/vpc:Vpc", name, () => args)).id;
    }
    async subnet(i: number): Promise<string> {
        const make = async () => ({
            vpcId: await this.vpc(),
            cidrBlock: `10.0.${i}.0/24`,
            availabilityZone: `eu-central-1${"abc"[i]}`,
        });
        return (await this.ensure("aws:ec2/subnet:Subnet", `subnet${i}`, make)).id;
    }
    async table(name = "table"): Promise<string> {
        return (await this.ensure("aws:ec2/routeTable:RouteTable", name, async () => ({ vpcId: await this.vpc() }))).id;
    }
    async gateway(): Promise<string> {
        return (await this.ensure("aws:ec2/internetGateway:InternetGateway", "gateway", async () => ({ vpcId: await this.vpc() }))).id;
    }
    async group(name = "group"): Promise<string> {
        return (await this.ensure("aws:ec2/securityGroup:SecurityGroup", name, async () => ({ vpcId: await this.vpc() }))).id;
    }
    role(service: string): Promise<Resource> {
        return this.ensure("aws:iam/role:Role", service, () => ({ assumeRolePolicy: trust(service) }));
    }
    async peering(): Promise<string> {
        const make = async () => ({ vpcId: await this.vpc(), peerVpcId: await this.vpc("other", "10.1") });
        return (await this.ensure("aws:ec2/vpcPeeringConnection:VpcPeeringConnection", "peering", make)).id;
    }
    async activePeering(): Promise<string> {
        const make = async () => ({ vpcPeeringConnectionId: await this.peering(), autoAccept: true });
        return (await this.ensure("aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter", "accepter", make)).id;
    }
    transit(name = "transit"): Promise<Resource> {
        return this.ensure("aws:ec2transitgateway/transitGateway:TransitGateway", name, () => ({ description: name }));
    }
    async attachment(): Promise<string> {
        const make = async () => ({
            transitGatewayId: (await this.transit()).id,
            vpcId: await this.vpc(),
            subnetIds: [await this.subnet(0)],
        });
        return (await this.ensure("aws:ec2transitgateway/vpcAttachment:VpcAttachment", "attachment", make)).id;
    }
    async share(): Promise<string> {
        return (await this.ensure("aws:ram/resourceShare:ResourceShare", "share", () => ({ name: "share" }))).id;
    }
    async balancer(): Promise<string> {
        const make = async () => ({ loadBalancerType: "network", internal: true, subnets: [await this.subnet(0), await this.subnet(1)] });
        return (await this.ensure("aws:lb/loadBalancer:LoadBalancer", "balancer", make)).id;
    }
    async targets(name = "targets"): Promise<string> {
        const make = async () => ({ vpcId: await this.vpc(), port: 32379, protocol: "TCP" });
        return (await this.ensure("aws:lb/targetGroup:TargetGroup", name, make)).id;
    }
    async cluster(): Promise<string> {
        const make = async () => ({
            roleArn: (await this.role("eks.amazonaws.com")).outputs.arn,
            version: "1.34",
            accessConfig: { authenticationMode: "API" },
            vpcConfig: { subnetIds: [await this.subnet(0), await this.subnet(1)] },
        });
        return (await this.ensure("aws:eks/cluster:Cluster", "cluster", make)).id;
    }
    async nodes(): Promise<Resource> {
        const make = async () => ({
            clusterName: await this.cluster(),
            nodeRoleArn: (await this.role("ec2.amazonaws.com")).outputs.arn,
            subnetIds: [await this.subnet(0)],
            scalingConfig: { minSize: 1, desiredSize: 1, maxSize: 2 },
        });
        return this.ensure("aws:eks/nodeGroup:NodeGroup", "nodes", make);
    }
    async entry(): Promise<string> {
        const make = async () => ({
            clusterName: await this.cluster(),
            principalArn: String((await this.role("lambda.amazonaws.com")).outputs.arn),
        });
        return String((await this.ensure("aws:eks/accessEntry:AccessEntry", "entry", make)).inputs.principalArn);
    }
}

export function trust(Service: string): string {
    return JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal: { Service }, Action: "sts:AssumeRole" }],
    });
}
