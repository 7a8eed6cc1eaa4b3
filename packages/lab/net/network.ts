import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SimulatedAws } from "../aws/aws.ts";
import { setMeasuredHealth } from "../aws/elb/target-health.ts";
import type { Place } from "../aws/memory.ts";
import { Kernel } from "./kernel.ts";
import { startNetd } from "./netd.ts";
import { abandoned, own } from "./owner.ts";
import { type Check, type MeasuredHealth, namespaceName } from "./plan.ts";
import { planNetwork } from "./plan-network.ts";

const ANYWHERE: Place = { account: "", region: "" };
const NOTHING = { namespaces: new Map<string, never>(), links: new Map<string, never>() };
/** How long a change of the simulated AWS may go unnoticed. */
const LOOK_MILLISECONDS = 50;

export interface NetworkOptions {
    aws: SimulatedAws;
    /** What the names of its namespaces begin with, apart from those of other labs: a letter, then letters and digits, 10 at most. */
    id: string;
    programs: { ip: string; nft: string; netd: string };
    /** Takes netd's log. */
    folder: string;
    log: (line: string) => void;
    /** By how much faster than target groups say their health is checked. @default 10 */
    checkSpeed?: number;
}

/** The kernel network of a simulated AWS: real packets, in namespaces that have no link to the machine's own network. */
export interface Network {
    /** The network namespace of an interface that is attached to something, below /run/netns; in it, the interface is `eth0`. */
    namespaceOf(interfaceId: string): string;
    /**
     * Resolves once the kernel is as the simulated AWS says now; health is measured later.
     *
     * @throws Error with what could not be made
     */
    settled(): Promise<void>;
    /** Ends it all; more than once does no harm. Processes that others run in the namespaces must have ended before. */
    close(): Promise<void>;
}

/**
 * Makes the network, and lets it follow every change of the simulated AWS. Needs root. Where the health of load balancers' targets is measured, the
 * simulated ELB tells what was found. What networks of owners that were killed have left behind is removed first.
 *
 * @throws Error when this process is not root, or the id is none or that of another network
 */
export async function startNetwork({ aws, id, programs, folder, log, checkSpeed = 10 }: NetworkOptions): Promise<Network> {
    if (process.getuid?.() !== 0) throw new Error("network namespaces need root: run the lab as root, or without a kernel network");
    if (!/^[a-z][a-z0-9]{0,9}$/.test(id))
        throw new Error(`the network's id is "${id}": take a letter, then letters and digits, 10 at most`);
    const disown = own(id);
    const { namespaces, forget } = abandoned(id);
    const kernel = new Kernel(programs);
    kernel.adopt(namespaces);
    await kernel.clear(NOTHING);
    forget();

    mkdirSync(folder, { recursive: true });
    const health = new Map<string, MeasuredHealth>();
    const told = new Set<string>();
    let failures: string[] = [];
    let followed = { revision: -1, health: 0 };
    let healthChanges = 0;
    const netd = startNetd({
        file: programs.netd,
        log: join(folder, "netd.log"),
        onHealth: (key, found) => {
            health.set(key, found);
            healthChanges += 1;
        },
        onEnd: (how) => log(`network ${id}: ${how}`),
    });
    let running: Promise<void> = Promise.resolve();
    let busy = false;

    const timer = setInterval(() => {
        if (!busy) follow().catch((error) => report([`cannot follow the simulated AWS: ${error.stack ?? error}`]));
    }, LOOK_MILLISECONDS);

    return {
        namespaceOf: (interfaceId) => namespaceName(id, interfaceId),
        async settled() {
            await follow();
            if (failures.length > 0) throw new Error(`the kernel network is not as the simulated AWS says:\n${failures.join("\n")}`);
        },
        async close() {
            clearInterval(timer);
            await running.catch(() => {});
            await netd.close();
            report(await kernel.clear(NOTHING));
            aws.edit(ANYWHERE, (scope) => setMeasuredHealth(scope, undefined));
            disown();
        },
    };

    /** One look after the other: two at once would make the same difference twice. */
    function follow(): Promise<void> {
        busy = true;
        const mine = running.catch(() => {}).then(once);
        running = mine;
        return mine.finally(() => {
            busy = running !== mine;
        });
    }

    async function once(): Promise<void> {
        const seen = { revision: aws.revision(), health: healthChanges };
        if (seen.revision === followed.revision && seen.health === followed.health) return;
        const plan = aws.edit(ANYWHERE, (scope) => planNetwork(scope, id, health));
        const made = await kernel.make(plan);
        const working = await netd.work(faster(plan.checks), plan.relays);
        // Only now: a socket of netd's would keep a namespace alive that has no name any more.
        const cleared = await kernel.clear(plan);
        for (const key of health.keys()) if (!plan.checks.has(key)) health.delete(key);
        const found = summary(plan.checks, health);
        aws.edit(ANYWHERE, (scope) => setMeasuredHealth(scope, found));
        followed = seen;
        report([...made, ...working, ...cleared]);
    }

    /** Each failure is told once, until it is gone. */
    function report(now: string[]): void {
        for (const one of now) if (!told.has(one)) log(`network ${id}: ${one}`);
        told.clear();
        for (const one of now) told.add(one);
        failures = now;
    }

    function faster(checks: ReadonlyMap<string, Check>): Map<string, Check> {
        const divided = (milliseconds: number) => Math.max(100, Math.round(milliseconds / checkSpeed));
        return new Map(
            [...checks].map(([key, one]) => [
                key,
                {
                    ...one,
                    intervalMilliseconds: divided(one.intervalMilliseconds),
                    timeoutMilliseconds: divided(one.timeoutMilliseconds),
                },
            ]),
        );
    }
}

/** What all interfaces of a balancer have found: a target is well if it is for one of them, and not before all have spoken if it is not. */
function summary(checks: ReadonlyMap<string, Check>, health: ReadonlyMap<string, MeasuredHealth>): Map<string, MeasuredHealth> {
    const perTarget = Map.groupBy(checks.keys(), (key) => key.slice(key.indexOf(" ") + 1));
    return new Map(
        [...perTarget].flatMap(([target, keys]): [string, MeasuredHealth][] => {
            const found = keys.map((key) => health.get(key));
            if (found.includes("healthy")) return [[target, "healthy"]];
            return found.includes(undefined) ? [] : [[target, "unhealthy"]];
        }),
    );
}
