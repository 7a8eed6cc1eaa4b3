import { addressAt } from "../../../../core/network/cidr.ts";
import { holds, sizeOf } from "../cidr.ts";
import { AwsError } from "../error.ts";
import type { Scope } from "../scope.ts";
import { invalidValue } from "./errors.ts";
import { interfaces, reservations, type Subnet } from "./tables.ts";

/** The addresses of a subnet that interfaces use, including those of their prefixes. */
export function usedAddresses(scope: Scope, subnetId: string): Set<string> {
    const inSubnet = interfaces
        .in(scope)
        .list()
        .filter((eni) => eni.SubnetId === subnetId);
    return new Set(
        inSubnet.flatMap(({ PrivateIpAddresses, Ipv4Prefixes }) => [
            ...PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress),
            ...Ipv4Prefixes.flatMap(({ Ipv4Prefix }) => Array.from({ length: sizeOf(Ipv4Prefix) }, (_, i) => addressAt(Ipv4Prefix, i))),
        ]),
    );
}

/**
 * Chooses an address for a new interface.
 *
 * @param requested the address to use. Default: the lowest one that is neither used nor reserved
 * @throws AwsError if `requested` is not available, or the subnet is full
 */
export function freeAddress(scope: Scope, subnet: Readonly<Subnet>, requested?: string): string {
    const used = usedAddresses(scope, subnet.SubnetId);
    const size = sizeOf(subnet.CidrBlock);
    if (requested !== undefined) {
        if (!holds(subnet.CidrBlock, requested)) throw invalidValue(`Address ${requested} does not fall within the subnet's address range`);
        const awsReserved = [0, 1, 2, 3, size - 1].map((offset) => addressAt(subnet.CidrBlock, offset));
        if (awsReserved.includes(requested)) throw invalidValue(`Address ${requested} is in subnet's reserved address range`);
        if (used.has(requested)) throw new AwsError("InvalidIPAddress.InUse", `Address ${requested} is in use.`);
        return requested;
    }
    const reserved = reservations
        .in(scope)
        .list()
        .filter((reservation) => reservation.SubnetId === subnet.SubnetId);
    for (let offset = 4; offset < size - 1; offset++) {
        const address = addressAt(subnet.CidrBlock, offset);
        if (!used.has(address) && !reserved.some(({ Cidr }) => holds(Cidr, address))) return address;
    }
    throw new AwsError(
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.",
    );
}
