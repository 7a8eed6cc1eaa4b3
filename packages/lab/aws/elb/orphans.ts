import { deleteInterface } from "../ec2/interfaces.ts";
import type { Place } from "../memory.ts";
import type { Scope } from "../scope.ts";
import { Table } from "../table.ts";

/** Interfaces of a deleted load balancer. They remain for a while, during which their subnets and security groups cannot be deleted. */
interface Orphans extends Place {
    balancer: string;
    interfaces: string[];
    due: boolean;
}
const orphans = new Table<Orphans>("elb/orphan", { shared: "world" });

/** How long they remain, in milliseconds. */
const LINGER = 20_000;

/** Keeps the interfaces of a deleted load balancer for a while. */
export function orphan(scope: Scope, balancer: string, interfaces: string[]): void {
    orphans.in(scope).put(balancer, { balancer, interfaces, due: false, account: scope.account, region: scope.region });
    scope.schedule(orphans, balancer, [{ after: LINGER, set: { due: true } }]);
}

/** Deletes the interfaces that are due. */
export function settleOrphans(scope: Scope): void {
    for (const { balancer, interfaces, due, account, region } of orphans.in(scope).list()) {
        if (!due) continue;
        for (const id of interfaces) deleteInterface(scope.at({ account, region }), id);
        orphans.in(scope).delete(balancer);
    }
}
