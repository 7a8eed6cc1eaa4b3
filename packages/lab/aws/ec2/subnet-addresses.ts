import { addressAt } from "../../../../core/network/cidr.ts";
import { holds, sizeOf } from "../cidr.ts";
import { AwsError } from "../error.ts";
import type { Scope } from "../scope.ts";
import { invalidValue } from "./errors.ts";
import { interfaces, reservations, type Subnet } from "./tables.ts";

/** Addresses of a subnet that interfaces have, those of their prefixes included. */
export function takenIn(scope: Scope, subnetId: string): Set<string> {
    const inSubnet = interfaces
        .in(scope)
        .list()
        .filter((one) => one.SubnetId === subnetId);
    return new Set(
        inSubnet.flatMap(({ PrivateIpAddresses, Ipv4Prefixes }) => [
            ...PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress),
            ...Ipv4Prefixes.flatMap(({ Ipv4Prefix }) => Array.from({ length: sizeOf(Ipv4Prefix) }, (_, i) => addressAt(Ipv4Prefix, i))),
        ]),
    );
}

/** An address for a new interface: the one asked for if it is free, else the lowest one that nobody has and nobody reserved. */
export function freeAddress(scope: Scope, subnet: Readonly<Subnet>, asked?: string): string {
    const taken = takenIn(scope, subnet.SubnetId);
    const size = sizeOf(subnet.CidrBlock);
    if (asked !== undefined) {
        if (!holds(subnet.CidrBlock, asked)) throw invalidValue(`Address ${asked} does not fall within the subnet's address range`);
        const kept = [0, 1, 2, 3, size - 1].map((offset) => addressAt(subnet.CidrBlock, offset));
        if (kept.includes(asked)) throw invalidValue(`Address ${asked} is in subnet's reserved address range`);
        if (taken.has(asked)) throw new AwsError("InvalidIPAddress.InUse", `Address ${asked} is in use.`);
        return asked;
    }
    const reserved = reservations
        .in(scope)
        .list()
        .filter((one) => one.SubnetId === subnet.SubnetId);
    for (let offset = 4; offset < size - 1; offset++) {
        const address = addressAt(subnet.CidrBlock, offset);
        if (!taken.has(address) && !reserved.some(({ Cidr }) => holds(Cidr, address))) return address;
    }
    throw new AwsError(
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.",
    );
}
