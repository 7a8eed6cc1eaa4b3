import { contains, overlap } from "../../../../core/network/cidr.ts";
import { KUBERNETES_VERSIONS, minor } from "../../../../core/versions.ts";
import { parseCidr, prefixOf } from "../cidr.ts";
import { cidrBlocksOf, type Subnet, securityGroups, subnets, vpcs } from "../ec2/tables.ts";
import { AwsError } from "../error.ts";
import { covers, parseTrustPolicy } from "../iam/policy-document.ts";
import { roleByArn } from "../iam/tables.ts";
import { findKey } from "../kms.ts";
import type { Scope } from "../scope.ts";
import { type Cluster, type EncryptionConfig, invalid, type VpcConfig } from "./tables.ts";

/** Minors of Kubernetes that EKS runs here, the oldest first: those in standard support and two in extended support. */
export const VERSIONS: readonly string[] = ["1.32", "1.33", ...KUBERNETES_VERSIONS];
export const DEFAULT_VERSION = "1.35";
const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/** Zones that cannot hold a control plane (EKS user guide, "VPC and subnet considerations"). */
const ZONES_WITHOUT = ["use1-az3", "usw1-az2", "cac1-az3"];
const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

export function checkVersion(version: string): void {
    if (!VERSIONS.includes(version)) throw invalid(`unsupported Kubernetes version ${version}`);
}

/** Upwards, and by one minor. */
export function checkUpgrade(from: string, to: string): void {
    checkVersion(to);
    if (from === to) throw invalid(`Cluster is already at the desired version ${to}`);
    if (minor(to) - minor(from) !== 1) throw invalid(`Unsupported Kubernetes minor version update from ${from} to ${to}`);
}

/** A role that a service can assume. */
export function checkRole(scope: Scope, arn: string, service: string): void {
    const role = roleByArn(scope, arn);
    const trusted = (): boolean =>
        parseTrustPolicy(role?.trust ?? "").some(
            ({ allow, principals, actions }) =>
                allow && principals.some(({ kind, name }) => kind === "Service" && name === service) && covers(actions, "sts:AssumeRole"),
        );
    if (!role || !trusted())
        throw invalid(`Role with arn: ${arn}, could not be assumed because it does not exist or the trusted entity is not correct`);
}

/** The subnets of a cluster: of one VPC, in two zones. */
export function clusterSubnets(scope: Scope, name: string, ids: readonly string[]): Readonly<Subnet>[] {
    const found = knownSubnets(scope, ids);
    if (new Set(found.map(({ VpcId }) => VpcId)).size > 1) throw invalid("Subnets specified must be in the same VPC");
    if (new Set(found.map(({ AvailabilityZone }) => AvailabilityZone)).size < 2)
        throw invalid("Subnets specified must be in at least two different AZs");
    const bad = found.find(({ AvailabilityZoneId }) => ZONES_WITHOUT.includes(AvailabilityZoneId));
    if (bad)
        throw new AwsError(
            "UnsupportedAvailabilityZoneException",
            `Cannot create cluster '${name}' because ${bad.AvailabilityZone}, the targeted availability zone, does not currently have sufficient capacity to support the cluster.`,
        );
    return found;
}

export function knownSubnets(scope: Scope, ids: readonly string[]): Readonly<Subnet>[] {
    return ids.map((id) => subnets.in(scope).need(id, () => invalid(`The subnet ID '${id}' does not exist`)));
}

export function checkGroups(scope: Scope, ids: readonly string[], vpcId: string): void {
    for (const id of ids)
        if (securityGroups.in(scope).get(id)?.VpcId !== vpcId) throw invalid(`The security group '${id}' does not exist in VPC '${vpcId}'`);
}

export function checkEndpoint({ endpointPublicAccess, endpointPrivateAccess, publicAccessCidrs }: VpcConfig): void {
    if (!endpointPublicAccess && !endpointPrivateAccess) throw invalid("Private and public endpoint access cannot be false");
    const bad = publicAccessCidrs.filter((cidr) => parseCidr(cidr) !== cidr);
    if (bad.length > 0) throw invalid(`The following CIDRs are invalid in publicAccessCidrs: [${bad.join(", ")}]`);
    const inner = publicAccessCidrs.filter((cidr) => PRIVATE.some((range) => contains(range, cidr)));
    if (inner.length > 0) throw invalid(`The following CIDRs are not allowed in publicAccessCidrs: [${inner.join(", ")}]`);
}

/** The range of a cluster's services: the one asked for, or the one of EKS's two that does not touch the VPC. */
export function serviceCidr(scope: Scope, vpcId: string, asked: string | undefined): string {
    const vpc = vpcs.in(scope).get(vpcId);
    const blocks = vpc ? cidrBlocksOf(vpc) : [];
    if (asked === undefined) return blocks.some((block) => overlap(block, "10.0.0.0/8")) ? "172.20.0.0/16" : "10.100.0.0/16";
    if (parseCidr(asked) !== asked || prefixOf(asked) < 12 || prefixOf(asked) > 24 || !PRIVATE.some((range) => contains(range, asked)))
        throw invalid(
            `serviceIpv4Cidr ${asked} is invalid: it must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, and have a prefix between /12 and /24`,
        );
    const hit = blocks.find((block) => overlap(block, asked));
    if (hit) throw invalid(`serviceIpv4Cidr ${asked} overlaps with CIDR ${hit} of VPC ${vpcId}`);
    return asked;
}

export function checkEncryption(scope: Scope, configs: readonly EncryptionConfig[]): void {
    for (const { resources, provider } of configs) {
        if (resources.join() !== "secrets")
            throw invalid(`Only 'secrets' is allowed in encryptionConfig.resources, not '${resources.join()}'`);
        const key = findKey(scope, provider.keyArn);
        if (key?.KeyState !== "Enabled" || key.KeySpec !== "SYMMETRIC_DEFAULT")
            throw invalid(`The KMS key ${provider.keyArn} does not exist, is not enabled or is not symmetric`);
    }
}

/** What is asked to be logged and what is not, as EKS shows it. */
export function fullLogging(logging: Cluster["logging"] | undefined): Cluster["logging"] {
    const types = (logging?.clusterLogging ?? []).filter(({ enabled }) => enabled).flatMap((one) => one.types);
    const bad = (logging?.clusterLogging ?? []).flatMap((one) => one.types).find((type) => !LOG_TYPES.includes(type));
    if (bad !== undefined) throw invalid(`Invalid log type '${bad}'; it must be one of [${LOG_TYPES.join(", ")}]`);
    const enabled = LOG_TYPES.filter((type) => types.includes(type));
    const disabled = LOG_TYPES.filter((type) => !types.includes(type));
    const all = [
        { types: enabled, enabled: true },
        { types: disabled, enabled: false },
    ];
    return { clusterLogging: all.filter((one) => one.types.length > 0) };
}
