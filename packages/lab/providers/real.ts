import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, join, resolve } from "node:path";

const REPOSITORY = resolve(import.meta.dirname, "../../..");

/** Providers whose real plugin can replace the stand-in. The real `aws` and `eks` would call AWS. */
const REPLACEABLE = ["tls", "kubernetes", "command"];

/** An installed provider plugin. */
export interface RealPlugin {
    name: string;
    /** Its folder in Pulumi's plugin folder, or the executable on the PATH. */
    path: string;
}

/**
 * Finds the plugins that the engine starts itself.
 *
 * @param requested names of providers; undefined: all that are installed
 * @throws Error for a provider that the lab must simulate, or whose plugin is not installed in the SDK's version
 */
export function realPlugins(requested: readonly string[] | undefined, env: NodeJS.ProcessEnv = process.env): RealPlugin[] {
    const refused = requested?.filter((name) => !REPLACEABLE.includes(name)) ?? [];
    if (refused.length > 0)
        throw new Error(
            `--real accepts ${REPLACEABLE.join(", ")}, not ${refused.join(", ")}: the lab has no AWS that the real aws or eks plugin could call`,
        );
    const { dependencies } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as { dependencies: Record<string, string> };
    return (requested ?? REPLACEABLE).flatMap((name) => {
        const version = dependencies[`@pulumi/${name}`] ?? "";
        const path = installed(name, version, env);
        if (!path && requested)
            throw new Error(`the ${name} plugin ${version} is not installed; run: pulumi plugin install resource ${name} ${version}`);
        return path ? [{ name, path }] : [];
    });
}

/** Where the engine finds the plugin: an executable of any version on the PATH, else the plugin folder of exactly this version. */
function installed(name: string, version: string, env: NodeJS.ProcessEnv): string | undefined {
    const program = `pulumi-resource-${name}`;
    const onPath = (env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
    const folder = join(env.PULUMI_HOME || join(homedir(), ".pulumi"), "plugins", `resource-${name}-v${version}`);
    // Pulumi leaves this file next to an incomplete download.
    const complete = existsSync(join(folder, program)) && !existsSync(`${folder}.partial`);
    return onPath.find((file) => existsSync(file)) ?? (complete ? folder : undefined);
}

/** Makes the plugins available to an engine with another PULUMI_HOME. */
export function linkPlugins(plugins: readonly RealPlugin[], pulumiHome: string): void {
    for (const { name, path } of plugins) {
        if (basename(path) === `pulumi-resource-${name}`) continue;
        // The engine does not accept a symbolic link as a plugin's folder, so link the files.
        const folder = join(pulumiHome, "plugins", basename(path));
        mkdirSync(folder, { recursive: true });
        for (const file of readdirSync(path)) symlinkSync(join(path, file), join(folder, file));
    }
}
