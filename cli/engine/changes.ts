import type { Changes } from "./driver.ts";

/** Whether anything was done to a resource but looking at it. */
export function changed(changes: Changes): boolean {
    return Object.keys(changes).some((op) => op !== "same" && op !== "read");
}

/** "3 create, 40 same"; undefined: nothing at all. */
export function describeChanges(changes: Changes): string | undefined {
    const all = Object.entries(changes).filter(([, count]) => count > 0);
    return all.length === 0 ? undefined : all.map(([op, count]) => `${count} ${op}`).join(", ");
}
