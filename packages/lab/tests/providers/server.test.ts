import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CreateRequest, NotReady, type Package, type ResourceType } from "../../providers/provider.ts";
import { debugProviders, type Served, serve } from "../../providers/server.ts";
import { type Properties, UNKNOWN } from "../../providers/values.ts";
import { changes, type Lab, noEngine, openLab } from "./harness.ts";

/** The provider's resources, and the requests it received. */
const world = {
    things: new Map<string, Properties>(),
    requests: [] as string[],
    inputs: undefined as Properties | undefined,
    fail: "",
    aborted: "",
};

const thing: ResourceType = {
    secretOutputs: ["token"],
    create: async (request: CreateRequest) => {
        const { inputs, preview, name, signal } = request;
        world.requests.push(`${preview ? "plan" : "create"} ${name}`);
        world.inputs = inputs;
        if (preview) return { id: "", outputs: { ...inputs, token: UNKNOWN, size: UNKNOWN } };
        if (world.fail === "hang") {
            await sleep(60_000, undefined, { signal }).catch(() => {
                world.aborted = String(signal.reason);
            });
            throw new Error("stopped");
        }
        const outputs = { ...inputs, token: "hush", size: 1 };
        world.things.set(name, outputs);
        if (world.fail === "not ready")
            throw new NotReady({ id: name, outputs: { ...outputs, bulk: "x".repeat(300_000) } }, ["still starting", "be patient"]);
        return { id: name, outputs };
    },
    read: ({ id, oldInputs }) => {
        const outputs = world.things.get(id);
        return outputs && { id, outputs, inputs: { ...oldInputs, value: outputs.value } };
    },
    update: ({ id, inputs, preview }) => {
        world.requests.push(`${preview ? "plan update" : "update"} ${id}`);
        const outputs = { ...inputs, token: "hush", size: 2 };
        if (!preview) world.things.set(id, outputs);
        return { outputs };
    },
    delete: ({ id }) => {
        world.requests.push(`delete ${id}`);
        world.things.delete(id);
    },
};

/** Has no update: every change replaces it. */
const rock: ResourceType = { create: ({ name, inputs, preview }) => ({ id: preview ? "" : name, outputs: inputs }) };

const demo: Package = {
    name: "demo",
    version: "1.0.0",
    open: () => ({
        resource: (type) => ({ "demo:index:Thing": thing, "demo:index:Rock": rock })[type],
        invoke: (token) =>
            token === "demo:index:double"
                ? ({ args }) =>
                      typeof args.n === "number"
                          ? { result: { n: args.n * 2 } }
                          : { result: {}, failures: [{ property: "n", reason: "must be a number" }] }
                : undefined,
    }),
};

class Pair extends pulumi.ComponentResource {
    constructor(name: string) {
        super("demo:index:Pair", name, {}, {}, true);
    }
}

class Thing extends pulumi.CustomResource {
    declare readonly token: pulumi.Output<string>;
    declare readonly size: pulumi.Output<number>;
    declare readonly value: pulumi.Output<unknown>;
    constructor(name: string, args: { value: pulumi.Input<unknown>; of?: pulumi.Resource }, options?: pulumi.CustomResourceOptions) {
        super("demo:index:Thing", name, { ...args, token: undefined, size: undefined }, options);
    }
}

class Rock extends pulumi.CustomResource {}

test("lists the servers in the engine's format", () =>
    expect(
        debugProviders([
            { name: "tls", port: 1 },
            { name: "aws", port: 2 },
        ]),
    ).toBe("tls:1,aws:2"));

describe.skipIf(noEngine)("a package served to the real engine", () => {
    let served: Served;
    let lab: Lab;
    const up = async () => changes((await lab.stack.up()).summary.resourceChanges);
    const chain = (value: pulumi.Input<unknown>) =>
        lab.run(async () => {
            const first = new Thing("first", { value });
            const second = new Thing("second", { value: first.size, of: first });
            return { token: first.token, echo: second.value, list: first.value };
        });

    beforeAll(async () => {
        served = await serve(demo);
        lab = await openLab([served], async () => {});
    });
    afterAll(async () => {
        await lab.close();
        await served.close();
    });

    test("preview passes unknown values", async () => {
        chain(["a", { b: pulumi.secret("c") }]);
        expect(changes((await lab.stack.preview()).changeSummary)).toEqual({ create: 3 });
        expect(world.requests).toEqual(["plan first", "plan second"]);
        expect(world.inputs?.value).toBe(UNKNOWN);
        expect(world.things.size).toBe(0);
    });

    test("values survive the round trip, and stay secret if their input or type is secret", async () => {
        const { outputs } = await lab.stack.up();
        expect(outputs.token).toEqual({ value: "hush", secret: true });
        expect(outputs.echo).toEqual({ value: 1, secret: false });
        expect(outputs.list).toEqual({ value: ["a", { b: "c" }], secret: true });
        expect(world.inputs?.of).toMatchObject({ urn: expect.stringContaining("::first"), id: "first" });
        expect(lab.state()).not.toContain("hush");
        expect(await up()).toEqual({});
    });

    test("a change is an update, or a replacement if the type has no update", async () => {
        chain("changed");
        expect(await up()).toEqual({ update: 2 });
        const rocks = (weight: number) =>
            lab.run(async () => {
                new Rock("demo:index:Rock", "rock", { weight });
            });
        rocks(1);
        expect(await up()).toEqual({ create: 1, delete: 2 });
        rocks(2);
        expect(await up()).toEqual({ replace: 1 });
    });

    test("keeps a resource that is not ready, even a large one, and updates it next time", async () => {
        world.fail = "not ready";
        lab.run(async () => {
            new Thing("slow", { value: 1 });
        });
        await expect(lab.stack.up()).rejects.toThrow(/still starting[\s\S]*be patient/);
        world.fail = "";
        expect(lab.state()).toContain("still starting");
        expect(await up()).toEqual({ update: 1, delete: 1 });
        expect(world.requests.filter((request) => request === "create slow")).toHaveLength(1);
    });

    test("refresh detects changed and deleted resources", async () => {
        world.things.set("slow", { value: 7, token: "hush", size: 2 });
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({ update: 1 });
        expect(await up()).toEqual({ update: 1 });
        world.things.delete("slow");
        expect(changes((await lab.refresh()).summary.resourceChanges)).toEqual({ delete: 1 });
    });

    test("functions return results and reject invalid arguments; unknown tokens are errors", async () => {
        const call = (token: string, n: unknown) => {
            lab.run(async () => ({ n: (await pulumi.runtime.invoke(token, { n })).n }));
            return lab.stack.up();
        };
        expect((await call("demo:index:double", 21)).outputs.n?.value).toBe(42);
        await expect(call("demo:index:double", "x")).rejects.toThrow(/must be a number/);
        await expect(call("demo:index:none", 1)).rejects.toThrow(/unknown function demo:index:none/);
        lab.run(async () => {
            new Rock("demo:index:None", "none", {});
        });
        await expect(lab.stack.preview()).rejects.toThrow(/unknown resource type demo:index:None/);
    });

    test("refuses components", async () => {
        lab.run(async () => {
            new Pair("pair");
        });
        await expect(lab.stack.preview()).rejects.toThrow(/the lab's stand-in for the provider demo has no components/);
    });

    test("aborts running operations when the engine dies", async () => {
        world.fail = "hang";
        lab.run(async () => {
            new Thing("hanging", { value: 1 });
        });
        const abort = new AbortController();
        const stopped = lab.stack.up({ signal: abort.signal }).catch(() => "stopped");
        while (!world.requests.includes("create hanging")) await sleep(50);
        abort.abort();
        expect(await stopped).toBe("stopped");
        while (!world.aborted) await sleep(50);
        expect(world.aborted).toMatch(/cancelled|the engine is gone/);
    });
});
