import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandPackage } from "../../providers/command.ts";
import { type Served, serve } from "../../providers/server.ts";
import { changes, type Lab, noEngine, openLab } from "./harness.ts";

const args: command.local.CommandArgs = {
    create: 'echo "create $WHAT"; echo create >> ran',
    update: 'echo "update $WHAT, was $PULUMI_COMMAND_STDOUT"; echo "update" >> ran',
    delete: 'echo "delete, was $PULUMI_COMMAND_STDOUT" >> ran',
};

describe.skipIf(noEngine)("commands run by the real engine", () => {
    const directory = mkdtempSync(join(tmpdir(), "clustermesh-command-"));
    const ran = () => readFileSync(join(directory, "ran"), "utf8").trim().split("\n");
    let served: Served;
    let lab: Lab;
    const runs = (inputs: command.local.CommandArgs, options?: pulumi.CustomResourceOptions) =>
        lab.run(async () => ({ out: new command.local.Command("it", inputs, options).stdout }));

    beforeAll(async () => {
        served = await serve(commandPackage({ directory }));
        lab = await openLab([served], async () => {});
    });
    afterAll(async () => {
        await lab.close();
        await served.close();
        rmSync(directory, { recursive: true });
    });

    test("preview runs no command", async () => {
        runs({ ...args, environment: { WHAT: "one" } });
        expect(changes((await lab.stack.preview()).changeSummary)).toEqual({ create: 2 });
        expect(existsSync(join(directory, "ran"))).toBe(false);
    });

    test("up runs create in the project's folder and shows its output", async () => {
        const { outputs, stdout } = await lab.stack.up();
        expect(outputs.out).toEqual({ value: "create one", secret: false });
        expect(stdout).toContain("create one");
        expect(changes((await lab.stack.up()).summary.resourceChanges)).toEqual({});
        expect(ran()).toEqual(["create"]);
    });

    test("a changed environment runs update with the previous output; a secret input makes the output secret", async () => {
        runs({ ...args, environment: { WHAT: pulumi.secret("hidden") } });
        const { outputs, summary } = await lab.stack.up();
        expect(changes(summary.resourceChanges)).toEqual({ update: 1 });
        expect(outputs.out).toEqual({ value: "update hidden, was create one", secret: true });
        expect(lab.state()).not.toContain("hidden");
    });

    test("changed triggers replace: create runs first, then the old delete", async () => {
        runs({ ...args, environment: { WHAT: "three" }, triggers: [1] });
        expect(changes((await lab.stack.up()).summary.resourceChanges)).toEqual({ replace: 1 });
        expect(ran().slice(2)).toEqual(["create", "delete, was update hidden, was create one"]);
    });

    test("a failure reports the exit status, the command and its output", async () => {
        runs({ create: "echo to-stdout; echo to-stderr >&2; exit 3", triggers: [2] });
        await expect(lab.stack.up()).rejects.toThrow(
            /exit status 3: running "echo to-stdout; echo to-stderr >&2; exit 3":\n\s*to-stdout\n\s*to-stderr/,
        );
    });

    test("a timeout kills the command and its children", async () => {
        runs({ create: "sh -c 'sleep 4; touch late' & wait", triggers: [3] }, { customTimeouts: { create: "1s" } });
        await expect(lab.stack.up()).rejects.toThrow(/signal: killed: running/);
        await sleep(4000);
        expect(existsSync(join(directory, "late"))).toBe(false);
    });

    test("cancelling the engine kills the command", async () => {
        runs({ create: "echo begun > begun; sleep 6; touch late", triggers: [4] });
        const abort = new AbortController();
        const up = lab.stack.up({ signal: abort.signal }).then(
            () => "finished",
            () => "stopped",
        );
        while (!existsSync(join(directory, "begun"))) await sleep(50);
        abort.abort();
        expect(await up).toBe("stopped");
        await sleep(6500);
        expect(existsSync(join(directory, "late"))).toBe(false);
    });

    test("destroy runs delete", async () => {
        await lab.stack.cancel().catch(() => {});
        await lab.destroy();
        expect(ran().at(-1)).toBe("delete, was create three");
    });
});
