import type { Properties } from "../../../../providers/values.ts";
import type { World } from "../world.ts";

type Args = Properties | ((world: World) => Properties | Promise<Properties>);

/** A resource type with arguments to create, update and replace it. */
export interface Case {
    token: string;
    args: Args;
    /** Arguments that are updated in place. */
    change?: Args;
    /** Arguments that require a replacement, and their property paths. */
    replace?: [Args, ...string[]];
    /** Set for resources that still exist at AWS after a delete. */
    survivesDelete?: true;
}

export const TAGS = { tags: { Name: "x" } };

/** Resolves a case's arguments. */
export async function argsOf(args: Args | undefined, world: World): Promise<Properties> {
    return typeof args === "function" ? args(world) : (args ?? {});
}
