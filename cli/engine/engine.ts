import type * as pulumi from "@pulumi/pulumi";
import { automation, log } from "@pulumi/pulumi";

// With engines up to 3.205 the SDK reads events from a file that is being written, now and then half a line (pulumi/pulumi 6768), and prints what it cannot
// read, or what a listener fails at, whole. Events of debugging have the engine's answers in plain, private keys among them.
const { warn } = log;
Object.assign(log, {
    warn: (message: string, ...more: [pulumi.Resource?, number?, boolean?]) =>
        message.startsWith("Failed to parse engine event") ? Promise.resolve() : warn(message, ...more),
});

/**
 * The `pulumi` of the PATH, run in a session of its own (engine/bin/pulumi says why).
 *
 * @throws Error when there is none, or one too old for the SDK
 */
export async function engine(): Promise<automation.PulumiCommand> {
    try {
        return await automation.PulumiCommand.get({ root: import.meta.dirname });
    } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (!/pulumi: (command )?not found|No such file/.test(text)) throw error;
        throw new Error("there is no pulumi on the PATH: https://www.pulumi.com/docs/install/ says how to install it", { cause: error });
    }
}
