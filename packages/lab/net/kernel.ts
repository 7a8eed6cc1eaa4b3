import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { Link, LinkEnd, NamespacePlan, NetworkPlan, Statement } from "./plan/plan.ts";

/** Number of namespaces that are changed in parallel. */
const WORKERS = 4;

/**
 * Settings of each new namespace, made before it has a link.
 *
 * On many systems new namespaces inherit strict reverse-path filtering, which would drop packets from peers. Without be_liberal, conntrack would drop segments
 * of a connection whose other segments it missed while a route was absent; that setting does not exist until conntrack is loaded.
 */
const SETTINGS = [
    "echo 1 >/proc/sys/net/ipv4/ip_forward",
    "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter",
    "echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter",
    "{ echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal; } 2>/dev/null || :",
].join(" && ");

/** A line for `ip -batch`, and the update of this process's record once it has worked. */
interface Command {
    line: string;
    done(): void;
}

/** The kernel objects of one lab: namespaces, links, addresses, routes, rules, nftables. Keeps a record of them and applies only differences. */
export class Kernel {
    readonly #programs: { ip: string; nft: string };
    readonly #namespaces = new Map<string, { statements: Map<string, Statement>; tables: Map<string, string> }>();
    readonly #links = new Map<string, Link>();

    constructor(programs: { ip: string; nft: string }) {
        this.#programs = programs;
    }

    /** Adds existing namespaces to the record, so that `clear` deletes them. */
    adopt(namespaces: readonly string[]): void {
        for (const name of namespaces) this.#namespaces.set(name, { statements: new Map(), tables: new Map() });
    }

    /**
     * Creates everything in the plan, and within planned namespaces deletes what is not in the plan. Does not touch what already matches, and continues after
     * failures.
     *
     * @returns the failures, each with the command and the kernel's error
     */
    async make(plan: NetworkPlan): Promise<string[]> {
        const namespaceFailures = await this.#ip(
            undefined,
            [...plan.namespaces.keys()].flatMap((name) => (this.#namespaces.has(name) ? [] : this.#newNamespace(name))),
        );
        const existing = [...plan.namespaces].filter(([name]) => this.#namespaces.has(name));
        // Security groups before links: otherwise a new interface would be open for a moment.
        const tableFailures = await inParallel(existing, ([name, { tables }]) => this.#nft(name, tables));
        const newLinks = [...plan.links].filter(([key]) => !this.#links.has(key));
        const linkFailures = await this.#ip(
            undefined,
            newLinks.map(([key, link]) => ({ line: linkLine(link), done: () => this.#links.set(key, link) })),
        );
        const newEnds = Map.groupBy(
            newLinks.flatMap(([, { ends }]) => ends),
            ({ namespace }) => namespace,
        );
        const statementFailures = await inParallel(existing, ([name, wanted]) =>
            this.#ip(name, [...setUp(newEnds.get(name)), ...this.#changes(name, wanted)]),
        );
        return [...namespaceFailures, ...tableFailures, ...linkFailures, ...statementFailures].flat();
    }

    /** Deletes links and namespaces that are not in the plan. @returns the failures */
    async clear(plan: Pick<NetworkPlan, "namespaces" | "links">): Promise<string[]> {
        const old = [...this.#links].filter(([key]) => !plan.links.has(key));
        const perNamespace = Map.groupBy(old, ([, { ends }]) => ends[0].namespace);
        const links = await inParallel([...perNamespace], ([name, gone]) =>
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

    /** Additions and replacements first, then deletions, so that packets have a route at all times. */
    #changes(name: string, wanted: NamespacePlan): Command[] {
        const current = this.#namespaces.get(name)?.statements ?? new Map<string, Statement>();
        const order = ["address", "route", "rule"];
        const byOrder = ([, a]: [string, Statement], [, b]: [string, Statement]) => order.indexOf(a.object) - order.indexOf(b.object);
        const changed = [...wanted.statements].filter(([key, { text }]) => current.get(key)?.text !== text).toSorted(byOrder);
        const gone = [...current].filter(([key]) => !wanted.statements.has(key)).toSorted((a, b) => byOrder(b, a));
        return [
            ...changed.map(([key, { object, text }]) => ({
                line: `${object} ${object === "route" ? "replace" : "add"} ${text}`,
                done: () => current.set(key, { object, text }),
            })),
            ...gone.map(([key, { object, text }]) => ({ line: `${object} delete ${text}`, done: () => current.delete(key) })),
        ];
    }

    /** Replaces tables in one transaction, which does not affect established connections. */
    async #nft(name: string, wanted: NamespacePlan["tables"]): Promise<string[]> {
        const current = this.#namespaces.get(name)?.tables ?? new Map<string, string>();
        const changed = [...wanted].filter(([table, body]) => current.get(table) !== body);
        const gone = [...current.keys()].filter((table) => !wanted.has(table));
        if (changed.length === 0 && gone.length === 0) return [];
        // Deleting a table that does not exist fails, so create it first, which does nothing if it exists.
        const script = [
            ...[...changed.map(([table]) => table), ...gone].map((table) => `table ip ${table} {}\ndelete table ip ${table}`),
            ...changed.map(([table, body]) => `table ip ${table} {\n${body}\n}`),
        ].join("\n");
        const { code, message } = await run(this.#programs.ip, ["netns", "exec", name, this.#programs.nft, "-f", "-"], script);
        if (code !== 0) return [`nft in ${name}: ${message}`];
        for (const [table, body] of changed) current.set(table, body);
        for (const table of gone) current.delete(table);
        return [];
    }

    async #ip(namespace: string | undefined, commands: readonly Command[]): Promise<string[]> {
        if (commands.length === 0) return [];
        const inside = namespace === undefined ? [] : ["-netns", namespace];
        const input = `${commands.map(({ line }) => line).join("\n")}\n`;
        const { code, message } = await run(this.#programs.ip, [...inside, "-force", "-batch", "-"], input);
        const failures = batchFailures(message);
        const where = namespace === undefined ? "" : ` in ${namespace}`;
        if (code !== 0 && failures.size === 0) return [`ip ${input.split("\n")[0]}${where}: ${message || `ended with code ${code}`}`];
        return commands.flatMap(({ line, done }, i) => {
            const failure = failures.get(i + 1);
            // What cannot be deleted does not exist.
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

/** Brings new ends of links up. Possible only when both ends of a pair exist. */
function setUp(ends: readonly LinkEnd[] = []): Command[] {
    return ends.flatMap(({ name, withoutArp }) => {
        // Two ends with the same MAC would get the same IPv6 address, and the kernel would report a duplicate.
        const noIpv6 = withoutArp ? [`link set ${name} addrgenmode none`] : [];
        return [...noIpv6, `link set ${name} up`].map((line) => ({ line, done: () => {} }));
    });
}

/** The failed lines of a batch by number, each with the errors printed before it: `RTNETLINK answers: File exists\nCommand failed -:3`. */
export function batchFailures(output: string): Map<number, string> {
    const failures = new Map<number, string>();
    let errors: string[] = [];
    for (const line of output.split("\n")) {
        const [, number] = /^Command failed -:(\d+)$/.exec(line) ?? [];
        if (number === undefined) errors.push(line);
        else {
            failures.set(Number(number), errors.join("; "));
            errors = [];
        }
    }
    return failures;
}

async function run(file: string, args: readonly string[], input: string): Promise<{ code: number | string; message: string }> {
    const child = spawn(file, args, { stdio: ["pipe", "ignore", "pipe"] });
    // A program that ends before it has read everything reports why on standard error.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const ended = new Promise<number | string>((resolve) => {
        child.on("error", (error) => resolve(error.message));
        child.on("close", (code, signal) => resolve(code ?? signal ?? ""));
    });
    const [code, errors] = await Promise.all([ended, text(child.stderr)]);
    return { code, message: errors.trim() || (typeof code === "string" ? code : "") };
}

/** Runs `work` on all items, `WORKERS` at a time. */
async function inParallel<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
    const results: Result[] = [];
    const waiting = items.entries();
    const worker = async () => {
        for (const [i, item] of waiting) results[i] = await work(item);
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    return results;
}
