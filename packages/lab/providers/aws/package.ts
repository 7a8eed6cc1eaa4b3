import type { Diff } from "../diff.ts";
import type { EngineLink, Package, Provider } from "../provider.ts";
import type { Properties } from "../values.ts";
import { LAB_PACE, type Pace } from "./api.ts";
import { FUNCTIONS } from "./functions.ts";
import { api, openSession, type Session } from "./session.ts";
import { RESOURCE_TYPES } from "./types.ts";

interface AwsPackageOptions {
    simulation: Session["simulation"];
    /** The account whose credentials the program runs with. */
    account: string;
    pace?: Pace;
}

/** The lab's stand-in for the provider plugin `aws`, backed by a simulated AWS. Programs cannot tell it from the real one. */
export function awsPackage({ simulation, account, pace = LAB_PACE }: AwsPackageOptions): Package {
    return {
        name: "aws",
        version: "7.48.0",
        open: (engine) => awsProvider({ simulation, account, pace, engine }),
    };
}

function awsProvider(base: Required<AwsPackageOptions> & { engine: EngineLink }): Provider {
    let session: Session | undefined;
    const configured = () => {
        if (!session) throw new Error("the provider aws is not configured");
        return session;
    };
    return {
        configure: async (config) => {
            session = await openSession(config, { ...base, known: new Map() });
        },
        diffConfig: ({ oldInputs, news }) => diffConfig(oldInputs, news),
        resource: (type) => RESOURCE_TYPES[type]?.(configured()),
        invoke: (token) => {
            const lookup = FUNCTIONS[token];
            if (!lookup) return undefined;
            return async ({ args, signal }) => ({ result: (await lookup(api(configured(), signal), args, configured())) as Properties });
        },
    };
}

/** Another region replaces the provider and all its resources, because nothing created in one region exists in another. */
function diffConfig(olds: Properties, news: Properties): Diff {
    const keys = Object.keys({ ...olds, ...news }).filter((key) => key !== "version");
    const changedKeys = keys.filter((key) => JSON.stringify(olds[key]) !== JSON.stringify(news[key]));
    const detailed = Object.fromEntries(changedKeys.map((key) => [key, "update" as const]));
    return { changes: changedKeys.length > 0, detailed, replaces: changedKeys.filter((key) => key === "region") };
}
