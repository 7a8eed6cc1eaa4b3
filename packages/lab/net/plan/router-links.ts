import { linkName, type Part, rule } from "./plan.ts";

/** Packets that arrive at a VPC's router over a link may only go to the VPC's own addresses. */
export function arrivals(router: string, resourceId: string): Part {
    return { namespace: { name: router, statements: [rule(10, `iif ${linkName(resourceId)}`, "main")] } };
}

/** A link between two routers, named after the same resource at both ends. */
export function routerLink(resourceId: string, a: string, b: string, mtu: number): Part[] {
    const name = linkName(resourceId);
    const mac = `02:${(resourceId.slice(-10).match(/../g) ?? []).join(":")}`;
    const end = (namespace: string) => ({ namespace, name, mac, withoutArp: true }) as const;
    return [{ link: { ends: [end(a), end(b)], mtu } }];
}
