import { expect, test } from "vitest";
import { describeTraffic, parseTraffic } from "../../../core/network/traffic.ts";

test.each(["tcp/1", "tcp/65535", "udp/53", "tcp/8000-9000", "icmp"])("%s is a port", (text) => {
    const traffic = parseTraffic(text);
    expect(traffic && describeTraffic(traffic)).toBe(text);
});

test.each(["443", "tcp", "tcp/0", "tcp/65536", "tcp/9000-8000", "sctp/1", "tcp/80,443", "tcp/-1", "all", "tcp/1-2-3", ""])(
    "%j is no port",
    (text) => expect(parseTraffic(text)).toBeUndefined(),
);
