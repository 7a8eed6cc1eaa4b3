import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { exchangeError, median, type Probe, parseProbe, probeCommand } from "../../../core/verify/probe.ts";

const closers: (() => void)[] = [];
afterAll(() => {
    for (const close of closers) close();
});

/** Answers as agnhost's netexec does (test/images/agnhost/netexec/netexec.go). */
const netexec: RequestListener = async (request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://x");
    if (pathname === "/clientip") response.end(`${request.socket.remoteAddress}:${request.socket.remotePort}`);
    else if (pathname === "/hostname") response.end("backend-c1-7d9f-x2x4z");
    else if (pathname === "/echo") {
        const body = (await request.toArray()).join("");
        response.end(new URLSearchParams(body).get("msg") ?? "");
    } else response.writeHead(404).end();
};

async function serve(listener: RequestListener): Promise<{ target: string; connections: () => number }> {
    let connections = 0;
    const server = createServer(listener).listen(0, "127.0.0.1");
    server.on("connection", () => {
        connections += 1;
    });
    await once(server, "listening");
    closers.push(() => {
        server.closeAllConnections();
        server.close();
    });
    return { target: `127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}

/** Runs the same command as in a test pod, with shell and curl. */
async function run(probe: Partial<Probe> & Pick<Probe, "targets">) {
    const [command = "", ...args] = probeCommand({
        path: "/clientip",
        times: 3,
        largeBytes: 0,
        timeoutSeconds: 1,
        ...probe,
    });
    const { stdout } = await promisify(execFile)(command, args);
    return parseProbe(stdout);
}

const noCurl = (() => {
    try {
        execFileSync("curl", ["--version"]);
        return false;
    } catch {
        console.warn("skipped: curl is not installed");
        return true;
    }
})();

test.skipIf(noCurl)("a server that answers: source address, durations, and the size of the large answer", async () => {
    const { target, connections } = await serve(netexec);
    const [answer, ...rest] = await run({ targets: [target], largeBytes: 9000 });
    expect(rest).toEqual([]);
    expect(answer?.target).toBe(target);
    expect(answer?.small).toHaveLength(3);
    for (const exchange of answer?.small ?? []) {
        expect(exchange).toMatchObject({
            exit: 0,
            status: 200,
            body: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
            error: "",
            connected: true,
        });
        expect(exchange.milliseconds).toBeGreaterThan(0);
        expect(exchangeError(exchange, 1)).toBeUndefined();
    }
    expect(answer?.large).toMatchObject({ exit: 0, status: 200, received: 9000 });
    // One per small request, whose handshake is measured, and one for the large request.
    expect(connections()).toBe(4);
});

test.skipIf(noCurl)("sends every request on a new connection, so that a service balances it again", async () => {
    const { target, connections } = await serve(netexec);
    const [answer] = await run({ targets: [target], path: "/hostname", times: 7 });
    expect(answer?.small.map(({ body }) => body)).toEqual(Array.from({ length: 7 }, () => "backend-c1-7d9f-x2x4z"));
    expect(connections()).toBe(7);
});

test.skipIf(noCurl)("reports a failure at one target, and still sends requests to the others", async () => {
    const silent = createTcpServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    closers.push(() => silent.close());
    const gone = createTcpServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const closed = `127.0.0.1:${(gone.address() as AddressInfo).port}`;
    gone.close();
    const [good, strange] = [await serve(netexec), await serve((_, response) => void response.writeHead(503).end("go away\nplease"))];
    const mute = `127.0.0.1:${(silent.address() as AddressInfo).port}`;

    const answers = await run({ targets: [closed, mute, strange.target, good.target], largeBytes: 9000 });
    expect(answers.map(({ target }) => target)).toEqual([closed, mute, strange.target, good.target]);
    const [refused, timedOut, refusing, answered] = answers;
    expect(refused?.small.map((exchange) => exchangeError(exchange, 1))).toEqual([
        expect.stringMatching(/^Failed to connect to 127\.0\.0\.1/),
    ]);
    expect(refused?.large).toBeUndefined();
    expect(timedOut?.small.map((exchange) => exchangeError(exchange, 1))).toEqual(["connected, but no answer"]);
    expect(refusing?.small[0]).toMatchObject({ status: 503, body: "go away\nplease" });
    expect(exchangeError(refusing?.small[0], 1)).toBe("answered with HTTP 503, so not by the test pod");
    expect(answered?.large).toMatchObject({ received: 9000 });
});

test.skipIf(noCurl)("reports a large request that is lost after small ones passed", async () => {
    const { target } = await serve((request, response) => {
        if (request.method === "GET") response.end("127.0.0.1:1");
    });
    const [answer] = await run({ targets: [target], largeBytes: 9000 });
    expect(answer?.small.map((exchange) => exchangeError(exchange, 1))).toEqual([undefined, undefined, undefined]);
    expect(exchangeError(answer?.large, 1)).toBe("connected, but no answer");
});

test("parses curl's report of a connection timeout", () => {
    const output = ["@@target 10.2.0.9:8080", "", "@@ 28 000 0.000000 0.000000 0 Connection timed out after 3001 milliseconds", ""].join(
        "\n",
    );
    const [answer] = parseProbe(output);
    expect(answer?.small.map((exchange) => exchangeError(exchange, 3))).toEqual(["no connection within 3 s"]);
    expect(exchangeError(undefined, 3)).toBe("the probe reported no result");
});

test("addresses and settings are arguments of the shell script, never part of it", () => {
    fc.assert(
        fc.property(fc.array(fc.string()), (targets) => {
            const [sh, flag, script, name, ...args] = probeCommand({
                targets,
                path: "/hostname",
                times: 5,
                largeBytes: 0,
                timeoutSeconds: 3,
            });
            expect([sh, flag, name]).toEqual(["sh", "-c", "verify"]);
            expect(args).toEqual(["/hostname", "5", "0", "3", ...targets]);
            expect(script).toBe(probeCommand({ targets: [], path: "/clientip", times: 1, largeBytes: 1, timeoutSeconds: 1 })[2]);
        }),
    );
});

test("at most half of the values are below the median, and at most half above", () => {
    expect(median([])).toBeUndefined();
    expect(median([3])).toBe(3);
    expect(median([9, 1])).toBe(5);
    fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1 }), (values) => {
            const middle = median(values) ?? Number.NaN;
            expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
            expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
        }),
    );
});
