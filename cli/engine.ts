import { join } from "node:path";
import { automation } from "@pulumi/pulumi";

/**
 * The `pulumi` of the PATH, run in a session of its own (engine/bin/pulumi says why).
 *
 * @throws Error when there is none, or one too old for the SDK
 */
export async function engine(): Promise<automation.PulumiCommand> {
    try {
        return await automation.PulumiCommand.get({ root: join(import.meta.dirname, "engine") });
    } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (!/pulumi: (command )?not found|No such file/.test(text)) throw error;
        throw new Error("there is no pulumi on the PATH: https://www.pulumi.com/docs/install/ says how to install it", { cause: error });
    }
}
