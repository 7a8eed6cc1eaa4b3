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

/** The Kubernetes minor versions of the simulated EKS, oldest first: two in extended support and those in standard support. */
export const VERSIONS: readonly string[] = ["1.32", "1.33", ...KUBERNETES_VERSIONS];
export const DEFAULT_VERSION = "1.35";
const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/** Zones in which EKS cannot place a control plane (EKS user guide, "VPC and subnet considerations"). */
const UNSUPPORTED_ZONES = ["use1-az3", "usw1-az2", "cac1-az3"];
const PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

export function checkVersion(version: string): void {
    if (!VERSIONS.includes(version)) throw invalid(`unsupported Kubernetes version ${version}`);
}

/** Only upgrades by one minor version are allowed. */
export function checkUpgrade(from: string, to: string): void {
    checkVersion(to);
    if (from === to) throw invalid(`Cluster is already at the desired version ${to}`);
    if (minor(to) - minor(from) !== 1) throw invalid(`Unsupported Kubernetes minor version update from ${from} to ${to}`);
}

/** The role must exist and trust the service. */
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

/** Returns the subnets of a cluster, which must be in one VPC and in at least two zones. */
export function clusterSubnets(scope: Scope, name: string, ids: readonly string[]): Readonly<Subnet>[] {
    const found = knownSubnets(scope, ids);
    if (new Set(found.map(({ VpcId }) => VpcId)).size > 1) throw invalid("Subnets specified must be in the same VPC");
    if (new Set(found.map(({ AvailabilityZone }) => AvailabilityZone)).size < 2)
        throw invalid("Subnets specified must be in at least two different AZs");
    const bad = found.find(({ AvailabilityZoneId }) => UNSUPPORTED_ZONES.includes(AvailabilityZoneId));
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
    const privateCidrs = publicAccessCidrs.filter((cidr) => PRIVATE_RANGES.some((range) => contains(range, cidr)));
    if (privateCidrs.length > 0) throw invalid(`The following CIDRs are not allowed in publicAccessCidrs: [${privateCidrs.join(", ")}]`);
}

/**
 * Returns the CIDR of a cluster's services.
 *
 * @param requested must not overlap the VPC. Default: 10.100.0.0/16, or 172.20.0.0/16 if the VPC overlaps 10.0.0.0/8
 */
export function serviceCidr(scope: Scope, vpcId: string, requested: string | undefined): string {
    const vpc = vpcs.in(scope).get(vpcId);
    const blocks = vpc ? cidrBlocksOf(vpc) : [];
    if (requested === undefined) return blocks.some((block) => overlap(block, "10.0.0.0/8")) ? "172.20.0.0/16" : "10.100.0.0/16";
    if (
        parseCidr(requested) !== requested ||
        prefixOf(requested) < 12 ||
        prefixOf(requested) > 24 ||
        !PRIVATE_RANGES.some((range) => contains(range, requested))
    )
        throw invalid(
            `serviceIpv4Cidr ${requested} is invalid: it must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, and have a prefix between /12 and /24`,
        );
    const overlapping = blocks.find((block) => overlap(block, requested));
    if (overlapping) throw invalid(`serviceIpv4Cidr ${requested} overlaps with CIDR ${overlapping} of VPC ${vpcId}`);
    return requested;
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

/** Returns the logging configuration as EKS shows it: the enabled log types, then the disabled ones. */
export function fullLogging(logging: Cluster["logging"] | undefined): Cluster["logging"] {
    const types = (logging?.clusterLogging ?? []).filter(({ enabled }) => enabled).flatMap((setup) => setup.types);
    const bad = (logging?.clusterLogging ?? []).flatMap((setup) => setup.types).find((type) => !LOG_TYPES.includes(type));
    if (bad !== undefined) throw invalid(`Invalid log type '${bad}'; it must be one of [${LOG_TYPES.join(", ")}]`);
    const enabled = LOG_TYPES.filter((type) => types.includes(type));
    const disabled = LOG_TYPES.filter((type) => !types.includes(type));
    const all = [
        { types: enabled, enabled: true },
        { types: disabled, enabled: false },
    ];
    return { clusterLogging: all.filter((setup) => setup.types.length > 0) };
}
