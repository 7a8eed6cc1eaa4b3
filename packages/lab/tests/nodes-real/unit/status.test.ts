import { describe, expect, test } from "vitest";
import { ask, httpRequest, judge, type Prober, type Verdict } from "../../../nodes-real/containers/probes.ts";
import { backOff, type ContainerRecord, podStatus, restarts } from "../../../nodes-real/containers/status.ts";
import { nodeConditions } from "../../../nodes-real/node-object.ts";
import { pod } from "./pod.ts";

describe("probes", () => {
    const good = { successThreshold: 2, failureThreshold: 3 };
    test.each([
        ["nothing yet", "", undefined],
        ["once is not twice", "+", undefined],
        ["twice in a row", "++", true],
        ["not in a row", "+-+", undefined],
        ["three failures", "---", false],
        ["a failure that passes", "++--+", true],
        ["it turns", "++---", false],
        ["and back", "++---++", true],
    ])("%s", (_, answers, well) => {
        const verdict = [...answers].reduce((so: Verdict, one) => judge(so, one === "+", good), { run: 0 });
        expect(verdict.well).toBe(well);
    });

    const prober = (status: number, asked: unknown[]): Prober => ({
        httpGet: async (...args) => {
            asked.push(args);
            return status;
        },
        connect: async (...args) => void asked.push(args),
        exec: async (...args) => void asked.push(args),
    });
    const probed = { container: { name: "c", ports: [{ name: "health", containerPort: 9879 }] }, podAddress: "10.0.1.82" };

    test("goes to the pod's address, or the host that it names, and to a named port", async () => {
        const asked: unknown[] = [];
        await ask({ httpGet: { port: "health", host: "127.0.0.1", path: "/healthz" }, timeoutSeconds: 5 }, probed, prober(200, asked));
        await ask({ tcpSocket: { port: 80 } }, probed, prober(200, asked));
        expect(asked).toEqual([
            ["127.0.0.1", 9879, expect.stringContaining("GET /healthz HTTP/1.1\r\n"), 5],
            ["10.0.1.82", 80, 1],
        ]);
    });

    test.each([
        [{ httpGet: { port: 80 } }, 503, "HTTP probe failed with statuscode: 503"],
        [{ httpGet: { port: "none" } }, 200, "container c has no port named none"],
        [{ grpc: { port: 1 } }, 200, "the lab's kubelet knows probes by httpGet (HTTP), tcpSocket and exec alone"],
    ])("%j", async (probe, status, message) => {
        await expect(ask(probe, probed, prober(status, []))).rejects.toThrow(message);
    });

    test("headers of the probe win", () => {
        const request = httpRequest({ port: 1, httpHeaders: [{ name: "Host", value: "a" }] }, "b");
        expect(request.match(/Host: .*/g)).toEqual(["Host: a"]);
    });
});

describe("status", () => {
    const at = new Date("2026-01-01T00:00:00Z");
    const later = new Date("2026-01-01T00:00:09Z");
    const record = (over: Partial<ContainerRecord> = {}): ContainerRecord => ({
        now: { phase: "running", startedAt: at },
        restarts: 0,
        started: true,
        ready: true,
        ...over,
    });
    const done = record({ now: { phase: "terminated", exitCode: 0, reason: "Completed", startedAt: at, finishedAt: at }, ready: false });
    const subject = pod({
        initContainers: [{ name: "init" }, { name: "side", restartPolicy: "Always" }],
        containers: [{ name: "c", image: "i" }],
    });
    const of = (records: Record<string, ContainerRecord>, outcome?: "Failed") =>
        podStatus(
            subject,
            { hostAddress: "10.0.1.5", podAddress: "10.0.1.82", startTime: at, records: new Map(Object.entries(records)), outcome },
            later,
        );
    const summary = ({ phase, conditions }: ReturnType<typeof of>) =>
        `${phase} ${conditions?.flatMap(({ type, status }) => (status === "True" ? type : [])).join(" ")}`;

    test.each([
        ["nothing yet", {}, "Pending PodReadyToStartContainers"],
        ["an init container runs", { init: record() }, "Pending PodReadyToStartContainers"],
        ["the sidecar is not there", { init: done, side: record({ started: false }) }, "Pending PodReadyToStartContainers"],
        ["not ready", { init: done, side: record(), c: record({ ready: false }) }, "Running PodReadyToStartContainers Initialized"],
        ["all is well", { init: done, side: record(), c: record() }, "Running PodReadyToStartContainers Initialized ContainersReady Ready"],
    ])("%s", (_, records, expected) => expect(summary(of(records))).toBe(expected));

    test("a pod that has failed is ready no more", () => {
        const status = of({ init: done, side: record(), c: record() }, "Failed");
        expect(summary(status)).toBe("Failed Initialized");
        expect(status.conditions?.find(({ type }) => type === "Ready")?.reason).toBe("PodFailed");
    });

    test("a condition keeps the time of its change, and others' conditions stay", () => {
        const before = [
            { type: "Initialized", status: "True", lastTransitionTime: at },
            { type: "PodScheduled", status: "True" },
        ];
        const facts = {
            hostAddress: "h",
            startTime: at,
            records: new Map([
                ["init", done],
                ["side", record()],
                ["c", record()],
            ]),
        };
        const { conditions } = podStatus({ ...subject, status: { conditions: before } }, facts, later);
        const time = (type: string) => conditions?.find((one) => one.type === type)?.lastTransitionTime;
        expect([time("Initialized"), time("Ready")]).toEqual([at, later]);
        expect(conditions?.filter(({ type }) => type === "PodScheduled")).toHaveLength(1);
    });

    test.each([
        [1, 0],
        [2, 10_000],
        [3, 20_000],
        [6, 160_000],
        [7, 300_000],
        [50, 300_000],
    ])("after crash %i it waits %i ms", (crashes, wait) => expect(backOff(crashes, 10_000)).toBe(wait));

    test.each([
        ["Always", 0, true],
        [undefined, 1, true],
        ["OnFailure", 0, false],
        ["OnFailure", 1, true],
        ["Never", 1, false],
    ])("policy %s, exit code %i: restarted %s", (policy, code, again) => expect(restarts(policy, code)).toBe(again));

    test("a node without a network says so as EKS's does", () => {
        const ready = (network: boolean) => nodeConditions(network, at, later).find(({ type }) => type === "Ready");
        expect(ready(false)).toMatchObject({ status: "False", message: expect.stringContaining("NetworkPluginNotReady") });
        expect(ready(true)).toMatchObject({ status: "True", reason: "KubeletReady" });
    });
});
