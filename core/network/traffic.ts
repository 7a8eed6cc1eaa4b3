/** Protocol and ports of an ingress rule, in the terms of the EC2 API. */
export interface Traffic {
    protocol: string;
    fromPort?: number;
    toPort?: number;
}

/** The traffic that nodes and pods accept from the peers. */
export type IngressPolicy = "all" | readonly Traffic[];

/** "tcp/443", "udp/8000-9000" or "icmp", as in the mesh's stack file, or "all traffic". */
export function describeTraffic({ protocol, fromPort, toPort }: Traffic): string {
    if (protocol === "-1") return "all traffic";
    if (protocol === "icmp") return "icmp";
    return `${protocol}/${fromPort === toPort ? fromPort : `${fromPort}-${toPort}`}`;
}

/**
 * Parses a port of the mesh's stack file: "tcp/443", "udp/8000-9000" or "icmp", which is the echo request only.
 *
 * @returns undefined for any other text
 */
export function parseTraffic(text: string): Traffic | undefined {
    if (text === "icmp") return { protocol: "icmp", fromPort: 8, toPort: 0 };
    const [, protocol, from, to = from] = /^(tcp|udp)\/(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
    const [fromPort, toPort] = [Number(from), Number(to)];
    return protocol && fromPort >= 1 && fromPort <= toPort && toPort <= 65535 ? { protocol, fromPort, toPort } : undefined;
}
