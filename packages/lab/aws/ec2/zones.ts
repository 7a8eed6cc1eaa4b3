import { type Filter, filtered } from "../filters.ts";
import type { Scope } from "../scope.ts";
import { invalidValue } from "./errors.ts";

/** The regions of the simulation. Their zones are a, b and c, except in those below. */
const REGIONS = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ca-central-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
    "cn-north-1",
    "cn-northwest-1",
];
const LETTERS: Record<string, string> = {
    "us-east-1": "abcdef",
    "us-west-1": "ac",
    "us-west-2": "abcd",
    "ap-northeast-1": "acd",
    "ca-central-1": "abd",
};

/** An Availability Zone. On AWS the mapping of IDs to names differs per account; here it is the same for all. */
interface Zone {
    ZoneName: string;
    ZoneId: string;
}

/** The zones of a region in the order of their names. */
export function zonesOf(region: string): Zone[] {
    if (!REGIONS.includes(region)) throw new Error(`region ${region} does not exist in the simulated AWS`);
    const short = region.replace(
        /^(..)-(gov-)?(north|south|east|west|central)?(north|south|east|west)?-(\d)$/,
        (_, area, gov, a = "", b = "", number) => `${area}${gov ? "g" : ""}${a.charAt(0)}${b.charAt(0)}${number}`,
    );
    return [...(LETTERS[region] ?? "abc")].map((letter, i) => ({ ZoneName: `${region}${letter}`, ZoneId: `${short}-az${i + 1}` }));
}

/** The action on Availability Zones. There are no Local Zones or Wavelength Zones: no account has opted in to any. */
export const zoneActions = (scope: Scope) => ({
    describeAvailabilityZones: ({ Filters, ZoneNames, ZoneIds }: { Filters?: Filter[]; ZoneNames?: string[]; ZoneIds?: string[] } = {}) => {
        const zones = zonesOf(scope.region).map((zone) => ({
            ...zone,
            State: "available",
            OptInStatus: "opt-in-not-required",
            RegionName: scope.region,
            GroupName: scope.region,
            NetworkBorderGroup: scope.region,
            ZoneType: "availability-zone",
            Messages: [],
        }));
        for (const name of ZoneNames ?? [])
            if (!zones.some(({ ZoneName }) => ZoneName === name)) throw invalidValue(`Invalid availability zone: [${name}]`);
        const requested = zones.filter(
            ({ ZoneName, ZoneId }) => (!ZoneNames || ZoneNames.includes(ZoneName)) && (!ZoneIds || ZoneIds.includes(ZoneId)),
        );
        return {
            AvailabilityZones: filtered(requested, Filters, {
                state: ({ State }) => State,
                "opt-in-status": ({ OptInStatus }) => OptInStatus,
                "zone-name": ({ ZoneName }) => ZoneName,
                "zone-id": ({ ZoneId }) => ZoneId,
                "zone-type": ({ ZoneType }) => ZoneType,
                "region-name": ({ RegionName }) => RegionName,
                "group-name": ({ GroupName }) => GroupName,
            }),
        };
    },
});
