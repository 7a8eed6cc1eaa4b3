import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { Link, LinkEnd, NamespacePlan, NetworkPlan, Statement } from "./plan.ts";

/** How many programs work on namespaces side by side. */
const WORKERS = 4;

/**
 * What each new namespace is set to before it has a link. Strict reverse-path filtering, which many systems hand down, would drop what peers send. And
 * conntrack would drop segments of a connection of which it has not seen all, while a route was away; the setting is not there before conntrack is.
 */
const SETTINGS = [
    "echo 1 >/proc/sys/net/ipv4/ip_forward",
    "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter",
    "echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter",
    "{ echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal; } 2>/dev/null || :",
].join(" && ");

/** A line for `ip -batch`, and what is true once it has worked. */
interface Command {
    line: string;
    done(): void;
}

/** The part of the kernel that is a lab's: namespaces, links, addresses, routes, rules, nftables. It remembers what it has made, and makes differences only. */
export class Kernel {
    readonly #programs: { ip: string; nft: string };
    readonly #namespaces = new Map<string, { statements: Map<string, Statement>; tables: Map<string, string> }>();
    readonly #links = new Map<string, Link>();

    constructor(programs: { ip: string; nft: string }) {
        this.#programs = programs;
    }

    /** Takes namespaces that it has not made for its own, to be cleared. */
    adopt(namespaces: readonly string[]): void {
        for (const name of namespaces) this.#namespaces.set(name, { statements: new Map(), tables: new Map() });
    }

    /**
     * Makes everything of the plan, and unmakes what is no longer in it within namespaces that stay. What is already right is not touched, and a failure
     * leaves the rest to be done.
     *
     * @returns what failed, each with the command and the kernel's words
     */
    async make(plan: NetworkPlan): Promise<string[]> {
        const made = await this.#ip(
            undefined,
            [...plan.namespaces.keys()].flatMap((name) => (this.#namespaces.has(name) ? [] : this.#newNamespace(name))),
        );
        const there = [...plan.namespaces].filter(([name]) => this.#namespaces.has(name));
        // Security groups before links: an interface that is open for the first moment is one too long.
        const tables = await side(there, ([name, { tables }]) => this.#nft(name, tables));
        const fresh = [...plan.links].filter(([key]) => !this.#links.has(key));
        const links = await this.#ip(
            undefined,
            fresh.map(([key, link]) => ({ line: linkLine(link), done: () => this.#links.set(key, link) })),
        );
        const ups = Map.groupBy(
            fresh.flatMap(([, { ends }]) => ends),
            ({ namespace }) => namespace,
        );
        const statements = await side(there, ([name, wanted]) => this.#ip(name, [...up(ups.get(name)), ...this.#changes(name, wanted)]));
        return [...made, ...tables, ...links, ...statements].flat();
    }

    /** Removes links and namespaces that are not in the plan. */
    async clear(plan: Pick<NetworkPlan, "namespaces" | "links">): Promise<string[]> {
        const old = [...this.#links].filter(([key]) => !plan.links.has(key));
        const perNamespace = Map.groupBy(old, ([, { ends }]) => ends[0].namespace);
        const links = await side([...perNamespace], ([name, gone]) =>
            this.#ip(
                name,
                gone.map(([key, { ends }]) => ({ line: `link delete ${ends[0].name}`, done: () => this.#links.delete(key) })),
            ),
        );
        const namespaces = await this.#ip(
            undefined,
            [...this.#namespaces.keys()].flatMap((name) =>
                plan.namespaces.has(name) ? [] : [{ line: `netns delete ${name}`, done: () => this.#namespaces.delete(name) }],
            ),
        );
        return [...links.flat(), ...namespaces];
    }

    #newNamespace(name: string): Command[] {
        const done = () => this.#namespaces.set(name, { statements: new Map(), tables: new Map() });
        return [
            { line: `netns add ${name}`, done },
            { line: `netns exec ${name} /bin/sh -c "${SETTINGS}"`, done: () => {} },
            { line: `netns exec ${name} ${this.#programs.ip} link set lo up`, done: () => {} },
        ];
    }

    /** First what is new or replaced, then what goes: in between, a packet finds a way rather than none. */
    #changes(name: string, wanted: NamespacePlan): Command[] {
        const has = this.#namespaces.get(name)?.statements ?? new Map<string, Statement>();
        const order = ["address", "route", "rule"];
        const byOrder = ([, a]: [string, Statement], [, b]: [string, Statement]) => order.indexOf(a.object) - order.indexOf(b.object);
        const fresh = [...wanted.statements].filter(([key, one]) => has.get(key)?.text !== one.text).toSorted(byOrder);
        const gone = [...has].filter(([key]) => !wanted.statements.has(key)).toSorted((a, b) => byOrder(b, a));
        return [
            ...fresh.map(([key, { object, text }]) => ({
                line: `${object} ${object === "route" ? "replace" : "add"} ${text}`,
                done: () => has.set(key, { object, text }),
            })),
            ...gone.map(([key, { object, text }]) => ({ line: `${object} delete ${text}`, done: () => has.delete(key) })),
        ];
    }

    /** Puts tables in the place of those before in one transaction, which leaves established connections alone. */
    async #nft(name: string, wanted: NamespacePlan["tables"]): Promise<string[]> {
        const has = this.#namespaces.get(name)?.tables ?? new Map<string, string>();
        const changed = [...wanted].filter(([table, body]) => has.get(table) !== body);
        const gone = [...has.keys()].filter((table) => !wanted.has(table));
        if (changed.length === 0 && gone.length === 0) return [];
        // A table can be deleted only where it is: so it is made first, which does nothing where it is.
        const script = [
            ...[...changed.map(([table]) => table), ...gone].map((table) => `table ip ${table} {}\ndelete table ip ${table}`),
            ...changed.map(([table, body]) => `table ip ${table} {\n${body}\n}`),
        ].join("\n");
        const { code, words } = await run(this.#programs.ip, ["netns", "exec", name, this.#programs.nft, "-f", "-"], script);
        if (code !== 0) return [`nft in ${name}: ${words}`];
        for (const [table, body] of changed) has.set(table, body);
        for (const table of gone) has.delete(table);
        return [];
    }

    async #ip(namespace: string | undefined, commands: readonly Command[]): Promise<string[]> {
        if (commands.length === 0) return [];
        const inside = namespace === undefined ? [] : ["-netns", namespace];
        const input = `${commands.map(({ line }) => line).join("\n")}\n`;
        const { code, words } = await run(this.#programs.ip, [...inside, "-force", "-batch", "-"], input);
        const failures = batchFailures(words);
        const where = namespace === undefined ? "" : ` in ${namespace}`;
        if (code !== 0 && failures.size === 0) return [`ip ${input.split("\n")[0]}${where}: ${words || `ended with code ${code}`}`];
        return commands.flatMap(({ line, done }, i) => {
            const failure = failures.get(i + 1);
            // What cannot be deleted is not there.
            if (failure === undefined || line.includes(" delete ")) done();
            return failure === undefined ? [] : [`ip ${line}${where}: ${failure}`];
        });
    }
}

function linkLine({ ends: [near, far], mtu }: Link): string {
    const end = ({ namespace, name, mac, withoutArp }: LinkEnd, first: string) =>
        `${first} ${name} netns ${namespace} mtu ${mtu}${mac ? ` address ${mac}` : ""}${withoutArp ? " arp off" : ""}`;
    return `link add ${end(near, "name")} type veth peer ${end(far, "name")}`;
}

/** A pair of virtual interfaces is only whole, and can be set up, once both are made. */
function up(ends: readonly LinkEnd[] = []): Command[] {
    return ends.flatMap(({ name, withoutArp }) => {
        // Two ends with one MAC would have one IPv6 address as well, and complain of each other.
        const quiet = withoutArp ? [`link set ${name} addrgenmode none`] : [];
        return [...quiet, `link set ${name} up`].map((line) => ({ line, done: () => {} }));
    });
}

/** The failed lines of a batch by number, with the words before: `RTNETLINK answers: File exists\nCommand failed -:3`. */
export function batchFailures(words: string): Map<number, string> {
    const failures = new Map<number, string>();
    let said: string[] = [];
    for (const line of words.split("\n")) {
        const [, number] = /^Command failed -:(\d+)$/.exec(line) ?? [];
        if (number === undefined) said.push(line);
        else {
            failures.set(Number(number), said.join("; "));
            said = [];
        }
    }
    return failures;
}

async function run(file: string, args: readonly string[], input: string): Promise<{ code: number | string; words: string }> {
    const child = spawn(file, args, { stdio: ["pipe", "ignore", "pipe"] });
    // Who ends before it has read all says why on standard error.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const ended = new Promise<number | string>((resolve) => {
        child.on("error", (error) => resolve(error.message));
        child.on("close", (code, signal) => resolve(code ?? signal ?? ""));
    });
    const [code, words] = await Promise.all([ended, text(child.stderr)]);
    return { code, words: words.trim() || (typeof code === "string" ? code : "") };
}

/** Does work on all, a few at a time. */
async function side<One, Result>(all: readonly One[], work: (one: One) => Promise<Result>): Promise<Result[]> {
    const results: Result[] = [];
    const waiting = all.entries();
    const worker = async () => {
        for (const [i, one] of waiting) results[i] = await work(one);
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    return results;
}
