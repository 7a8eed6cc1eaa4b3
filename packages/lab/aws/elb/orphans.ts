import { dropInterface } from "../ec2/interfaces.ts";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";

/** Interfaces of a balancer that is gone: they stay for a while and hold up the deletion of their subnets and groups. */
interface Orphans extends Place {
    balancer: string;
    interfaces: string[];
    due: boolean;
}
const orphans = new Table<Orphans>("elb/orphan", { shared: "world" });

/** For how long, milliseconds. */
const LINGER = 20_000;

/** Leaves a balancer's interfaces behind. */
export function orphan(scope: Scope, balancer: string, interfaces: string[]): void {
    orphans.in(scope).put(balancer, { balancer, interfaces, due: false, account: scope.account, region: scope.region });
    scope.schedule(orphans, balancer, [{ after: LINGER, set: { due: true } }]);
}

/** Removes those whose time has come. */
export function settleOrphans(scope: Scope): void {
    for (const { balancer, interfaces, due, account, region } of orphans.in(scope).list()) {
        if (!due) continue;
        for (const id of interfaces) dropInterface(scope.at({ account, region }), id);
        orphans.in(scope).delete(balancer);
    }
}
