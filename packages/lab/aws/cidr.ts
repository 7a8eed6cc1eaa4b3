import { isIPv4 } from "node:net";
import { ip2long, Netmask } from "netmask";

/** Returns the IPv4 CIDR with its host bits cleared, as AWS stores it, or undefined if `text` is not one. */
export function parseCidr(text: string | undefined): string | undefined {
    const [address = "", prefix = ""] = (text ?? "").split("/");
    // Netmask accepts much more: `10`, `10.0.0.0`, `0x0a.0/8`.
    if (!isIPv4(address) || !/^(\d|[12]\d|3[0-2])$/.test(prefix)) return undefined;
    const { base } = new Netmask(`${address}/${prefix}`);
    return `${base}/${prefix}`;
}

export function prefixOf(cidr: string): number {
    return Number(cidr.split("/")[1]);
}

/** Number of addresses in the block. */
export function sizeOf(cidr: string): number {
    return 2 ** (32 - prefixOf(cidr));
}

/** Whether the block contains the address. */
export function holds(cidr: string, address: string): boolean {
    const { netLong, size } = new Netmask(cidr);
    const at = ip2long(address);
    return at >= netLong && at < netLong + size;
}
