import type * as aws from "@pulumi/aws";
import type { Properties } from "../values.ts";
import type { AwsApi } from "./api.ts";
import type { Plain } from "./definition.ts";
import type { Session } from "./session.ts";

/** A function of the package: a read-only query. */
type Lookup = (api: AwsApi, args: Properties, session: Session) => Promise<object>;

async function getCallerIdentity(api: AwsApi): Promise<Plain<aws.GetCallerIdentityResult>> {
    const { Account, Arn, UserId } = await api.sts.getCallerIdentity();
    return { accountId: Account, arn: Arn, userId: UserId, id: Account };
}

async function getPartition(_api: AwsApi, _args: Properties, { partition }: Session): Promise<Plain<aws.GetPartitionResult>> {
    const dnsSuffix = partition === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
    return { partition, dnsSuffix, reverseDnsPrefix: dnsSuffix.split(".").toReversed().join("."), id: partition };
}

async function getRegion(_api: AwsApi, _args: Properties, { region }: Session): Promise<Plain<aws.GetRegionResult>> {
    return { region, name: region, id: region, description: region, endpoint: `ec2.${region}.amazonaws.com` };
}

async function getAvailabilityZones(
    api: AwsApi,
    { state, filters, excludeNames, excludeZoneIds }: Plain<aws.GetAvailabilityZonesArgs>,
    { region }: Session,
): Promise<Plain<aws.GetAvailabilityZonesResult>> {
    const { AvailabilityZones } = await api.ec2.describeAvailabilityZones({
        Filters: [
            ...(state ? [{ Name: "state", Values: [state] }] : []),
            ...(filters ?? []).map(({ name, values }) => ({ Name: name, Values: values })),
        ],
    });
    const zones = AvailabilityZones.filter(
        ({ ZoneName, ZoneId }) => !excludeNames?.includes(ZoneName) && !excludeZoneIds?.includes(ZoneId),
    );
    return {
        id: region,
        region,
        names: zones.map(({ ZoneName }) => ZoneName),
        zoneIds: zones.map(({ ZoneId }) => ZoneId),
        groupNames: [...new Set(zones.map(({ GroupName }) => GroupName))],
        ...(state && { state }),
    };
}

async function getAddonVersion(
    api: AwsApi,
    { addonName, kubernetesVersion, mostRecent = false }: Plain<aws.eks.GetAddonVersionArgs>,
    { region }: Session,
): Promise<Plain<aws.eks.GetAddonVersionResult>> {
    const { addons } = await api.eks.describeAddonVersions({ addonName, kubernetesVersion });
    const versions = addons[0]?.addonVersions ?? [];
    const found = mostRecent
        ? versions[0]
        : versions.find(({ compatibilities }) => compatibilities.some(({ defaultVersion }) => defaultVersion));
    if (!found) throw new Error(`reading EKS Add-On Version (${addonName}, ${kubernetesVersion}): empty result`);
    return { id: addonName, addonName, kubernetesVersion, mostRecent, region, version: found.addonVersion };
}

/** The functions that the lab simulates, by token. */
export const FUNCTIONS: Record<string, Lookup> = {
    "aws:index/getCallerIdentity:getCallerIdentity": getCallerIdentity,
    "aws:index/getPartition:getPartition": getPartition,
    "aws:index/getRegion:getRegion": getRegion,
    "aws:eks/getAddonVersion:getAddonVersion": (api, args, session) =>
        getAddonVersion(api, args as unknown as Plain<aws.eks.GetAddonVersionArgs>, session),
    "aws:index/getAvailabilityZones:getAvailabilityZones": (api, args, session) =>
        getAvailabilityZones(api, args as Plain<aws.GetAvailabilityZonesArgs>, session),
};
