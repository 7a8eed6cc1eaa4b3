import type * as pulumi from "@pulumi/pulumi";
import { automation, log } from "@pulumi/pulumi";

/** Operations that run now, and the SDK's own `warn`. */
const warnings = { operations: 0, warn: log.warn };

/**
 * Runs an operation of the Automation API without the SDK's warnings about engine events that it cannot parse: such a warning contains the whole event.
 *
 * With engines up to 3.205 the SDK reads events from a file that is still being written, and sometimes gets half a line (pulumi/pulumi 6768). Debugging events
 * contain the engine's answers in plain text, including private keys. The SDK has no option for this, so its `warn` is replaced until no operation runs.
 */
export async function withoutEventWarnings<T>(operation: () => Promise<T>): Promise<T> {
    if (warnings.operations++ === 0) {
        const { warn } = log;
        const filter = (message: string, ...rest: [pulumi.Resource?, number?, boolean?]) =>
            message.startsWith("Failed to parse engine event") ? Promise.resolve() : warn(message, ...rest);
        Object.assign(log, { warn: filter });
        warnings.warn = warn;
    }
    try {
        return await operation();
    } finally {
        if (--warnings.operations === 0) Object.assign(log, { warn: warnings.warn });
    }
}

/**
 * The `pulumi` on the PATH, run in a session of its own (engine/bin/pulumi explains why).
 *
 * @param env its PATH is searched for `pulumi`. Default: the PATH of this process
 * @throws Error if there is none, or if it is too old for the SDK
 */
export async function engine(env: { PATH?: string } = {}): Promise<automation.PulumiCommand> {
    try {
        return await withPath(env.PATH, () => automation.PulumiCommand.get({ root: import.meta.dirname }));
    } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (!/pulumi: (command )?not found|No such file/.test(text)) throw error;
        throw new Error("pulumi is not on the PATH: install it as https://www.pulumi.com/docs/install/ describes", { cause: error });
    }
}

/**
 * Starts work while this process has another PATH. `PulumiCommand.get` takes no environment, and starts `pulumi version` before it returns
 * its promise (SDK 3.270), so no other code ever sees the changed PATH.
 */
function withPath<Result>(path: string | undefined, start: () => Result): Result {
    const { PATH } = process.env;
    if (path !== undefined) process.env.PATH = path;
    try {
        return start();
    } finally {
        if (PATH === undefined) delete process.env.PATH;
        else process.env.PATH = PATH;
    }
}
