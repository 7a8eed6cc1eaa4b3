/** An ingress rule's protocol and ports, as AWS names them. */
export interface Traffic {
    protocol: string;
    fromPort?: number;
    toPort?: number;
}

/** What nodes and pods accept from the peers. */
export type IngressPolicy = "all" | readonly Traffic[];

/** "tcp/443", "udp/8000-9000", "icmp", "all": as in the mesh's stack file. */
export function describeTraffic({ protocol, fromPort, toPort }: Traffic): string {
    if (protocol === "-1") return "all traffic";
    if (protocol === "icmp") return "icmp";
    return `${protocol}/${fromPort === toPort ? fromPort : `${fromPort}-${toPort}`}`;
}

/** Reads what `describeTraffic` writes. ICMP is the echo request alone. @returns undefined when it cannot be read */
export function parseTraffic(text: string): Traffic | undefined {
    if (text === "icmp") return { protocol: "icmp", fromPort: 8, toPort: 0 };
    const [, protocol, from, to = from] = /^(tcp|udp)\/(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
    const [fromPort, toPort] = [Number(from), Number(to)];
    return protocol && fromPort >= 1 && fromPort <= toPort && toPort <= 65535 ? { protocol, fromPort, toPort } : undefined;
}
