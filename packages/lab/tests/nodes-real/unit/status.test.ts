import { describe, expect, test } from "vitest";
import { advance, httpRequest, type Prober, type ProbeState, runProbe } from "../../../nodes-real/containers/probes.ts";
import { backOff, type ContainerRecord, shouldRestart } from "../../../nodes-real/containers/record.ts";
import { nodeConditions } from "../../../nodes-real/node-heartbeat.ts";
import { podStatus } from "../../../nodes-real/pods/status.ts";
import { pod } from "./pod.ts";

describe("probes", () => {
    const probe = { successThreshold: 2, failureThreshold: 3 };
    test.each([
        ["no result", "", undefined],
        ["one success of two", "+", undefined],
        ["two successes in a row", "++", true],
        ["two successes, not in a row", "+-+", undefined],
        ["three failures", "---", false],
        ["too few failures", "++--+", true],
        ["starts to fail", "++---", false],
        ["recovers", "++---++", true],
    ])("thresholds: %s", (_, results, passing) => {
        const state = [...results].reduce((state: ProbeState, result) => advance(state, result === "+", probe), { streak: 0 });
        expect(state.passing).toBe(passing);
    });

    const prober = (status: number, calls: unknown[]): Prober => ({
        httpGet: async (...args) => {
            calls.push(args);
            return status;
        },
        connect: async (...args) => void calls.push(args),
        exec: async (...args) => void calls.push(args),
    });
    const target = { container: { name: "c", ports: [{ name: "health", containerPort: 9879 }] }, podAddress: "10.0.1.82" };

    test("go to the pod's address or the given host, and to named ports", async () => {
        const calls: unknown[] = [];
        await runProbe({ httpGet: { port: "health", host: "127.0.0.1", path: "/healthz" }, timeoutSeconds: 5 }, target, prober(200, calls));
        await runProbe({ tcpSocket: { port: 80 } }, target, prober(200, calls));
        expect(calls).toEqual([
            ["127.0.0.1", 9879, expect.stringContaining("GET /healthz HTTP/1.1\r\n"), 5],
            ["10.0.1.82", 80, 1],
        ]);
    });

    test.each([
        [{ httpGet: { port: 80 } }, 503, "HTTP probe failed with statuscode: 503"],
        [{ httpGet: { port: "none" } }, 200, "container c has no port named none"],
        [{ grpc: { port: 1 } }, 200, "probe type not supported: the lab's kubelet supports httpGet (HTTP), tcpSocket and exec"],
    ])("fails with the reason: %j", async (probe, status, message) => {
        await expect(runProbe(probe, target, prober(status, []))).rejects.toThrow(message);
    });

    test("headers of the probe override the defaults", () => {
        const request = httpRequest({ port: 1, httpHeaders: [{ name: "Host", value: "a" }] }, "b");
        expect(request.match(/Host: .*/g)).toEqual(["Host: a"]);
    });
});

describe("status", () => {
    const started = new Date("2026-01-01T00:00:00Z");
    const later = new Date("2026-01-01T00:00:09Z");
    const record = (over: Partial<ContainerRecord> = {}): ContainerRecord => ({
        now: { phase: "running", startedAt: started },
        restarts: 0,
        started: true,
        ready: true,
        ...over,
    });
    const done = record({
        now: { phase: "terminated", exitCode: 0, reason: "Completed", startedAt: started, finishedAt: started },
        ready: false,
    });
    const subject = pod({
        initContainers: [{ name: "init" }, { name: "side", restartPolicy: "Always" }],
        containers: [{ name: "c", image: "i" }],
    });
    const statusOf = (records: Record<string, ContainerRecord>, outcome?: "Failed") =>
        podStatus(
            subject,
            { hostAddress: "10.0.1.5", podAddress: "10.0.1.82", startTime: started, records: new Map(Object.entries(records)), outcome },
            later,
        );
    const summary = ({ phase, conditions }: ReturnType<typeof statusOf>) =>
        `${phase} ${conditions?.flatMap(({ type, status }) => (status === "True" ? type : [])).join(" ")}`;

    test.each([
        ["no container", {}, "Pending PodReadyToStartContainers"],
        ["init container running", { init: record() }, "Pending PodReadyToStartContainers"],
        ["sidecar not started", { init: done, side: record({ started: false }) }, "Pending PodReadyToStartContainers"],
        [
            "container not ready",
            { init: done, side: record(), c: record({ ready: false }) },
            "Running PodReadyToStartContainers Initialized",
        ],
        ["all ready", { init: done, side: record(), c: record() }, "Running PodReadyToStartContainers Initialized ContainersReady Ready"],
    ])("phase and conditions: %s", (_, records, expected) => expect(summary(statusOf(records))).toBe(expected));

    test("a failed pod is not ready", () => {
        const status = statusOf({ init: done, side: record(), c: record() }, "Failed");
        expect(summary(status)).toBe("Failed Initialized");
        expect(status.conditions?.find(({ type }) => type === "Ready")?.reason).toBe("PodFailed");
    });

    test("keeps the transition time of an unchanged condition, and the conditions of other writers", () => {
        const before = [
            { type: "Initialized", status: "True", lastTransitionTime: started },
            { type: "PodScheduled", status: "True" },
        ];
        const facts = {
            hostAddress: "h",
            startTime: started,
            records: new Map([
                ["init", done],
                ["side", record()],
                ["c", record()],
            ]),
        };
        const { conditions } = podStatus({ ...subject, status: { conditions: before } }, facts, later);
        const time = (type: string) => conditions?.find((condition) => condition.type === type)?.lastTransitionTime;
        expect([time("Initialized"), time("Ready")]).toEqual([started, later]);
        expect(conditions?.filter(({ type }) => type === "PodScheduled")).toHaveLength(1);
    });

    test.each([
        [1, 0],
        [2, 10_000],
        [3, 20_000],
        [6, 160_000],
        [7, 300_000],
        [50, 300_000],
    ])("waits after crash %i for %i ms", (crashes, wait) => expect(backOff(crashes, 10_000)).toBe(wait));

    test.each([
        ["Always", 0, true],
        [undefined, 1, true],
        ["OnFailure", 0, false],
        ["OnFailure", 1, true],
        ["Never", 1, false],
    ])("restart policy %s, exit code %i: restarts %s", (policy, code, restarts) => expect(shouldRestart(policy, code)).toBe(restarts));

    test("a node without a network has the kubelet's NotReady message", () => {
        const ready = (network: boolean) => nodeConditions(network, started, later).find(({ type }) => type === "Ready");
        expect(ready(false)).toMatchObject({ status: "False", message: expect.stringContaining("NetworkPluginNotReady") });
        expect(ready(true)).toMatchObject({ status: "True", reason: "KubeletReady" });
    });
});
