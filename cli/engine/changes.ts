import type { Changes } from "./driver.ts";

/** Whether any resource was changed, rather than only read. */
export function changed(changes: Changes): boolean {
    return Object.keys(changes).some((op) => op !== "same" && op !== "read");
}

/** "3 create, 40 same"; undefined if there are no resources at all. */
export function describeChanges(changes: Changes): string | undefined {
    const counts = Object.entries(changes).filter(([, count]) => count > 0);
    return counts.length === 0 ? undefined : counts.map(([op, count]) => `${count} ${op}`).join(", ");
}
