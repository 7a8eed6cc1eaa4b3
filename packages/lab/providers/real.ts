import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, join, resolve } from "node:path";

const REPOSITORY = resolve(import.meta.dirname, "../../..");

/** Providers whose real plugin can take the stand-in's place, since they do for real what they say. Those of `aws` and `eks` would call AWS. */
const REPLACEABLE = ["tls", "kubernetes", "command"];

/** A provider's plugin that Pulumi has installed on this machine. */
export interface RealPlugin {
    name: string;
    /** In Pulumi's folder of plugins, or the executable on the PATH. */
    path: string;
}

/**
 * The plugins that the engine is to start itself.
 *
 * @param asked their providers; undefined: all that are installed
 * @throws Error for one that is not installed in the version that the program's SDK asks for, or that the lab cannot do without simulating it
 */
export function realPlugins(asked: readonly string[] | undefined, env: NodeJS.ProcessEnv = process.env): RealPlugin[] {
    const refused = asked?.filter((name) => !REPLACEABLE.includes(name)) ?? [];
    if (refused.length > 0)
        throw new Error(
            `--real takes ${REPLACEABLE.join(", ")}, not ${refused.join(", ")}: the lab has no AWS that a real aws or eks could call`,
        );
    const { dependencies } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as { dependencies: Record<string, string> };
    return (asked ?? REPLACEABLE).flatMap((name) => {
        const version = dependencies[`@pulumi/${name}`] ?? "";
        const path = installed(name, version, env);
        if (!path && asked)
            throw new Error(
                `the plugin of ${name} ${version} is not installed: pulumi plugin install resource ${name} ${version} installs it`,
            );
        return path ? [{ name, path }] : [];
    });
}

/** Where the engine would find the plugin: a program on the PATH comes first, whatever its version is, then the folder of exactly this version. */
function installed(name: string, version: string, env: NodeJS.ProcessEnv): string | undefined {
    const program = `pulumi-resource-${name}`;
    const onPath = (env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
    const folder = join(env.PULUMI_HOME || join(homedir(), ".pulumi"), "plugins", `resource-${name}-v${version}`);
    // Beside a download that was cut off, Pulumi leaves a file of this name.
    const complete = existsSync(join(folder, program)) && !existsSync(`${folder}.partial`);
    return onPath.find((file) => existsSync(file)) ?? (complete ? folder : undefined);
}

/** Shows the plugins to an engine whose PULUMI_HOME is another one. */
export function linkPlugins(plugins: readonly RealPlugin[], pulumiHome: string): void {
    for (const { name, path } of plugins) {
        if (basename(path) === `pulumi-resource-${name}`) continue;
        // The engine takes no link for a plugin's folder.
        const folder = join(pulumiHome, "plugins", basename(path));
        mkdirSync(folder, { recursive: true });
        for (const file of readdirSync(path)) symlinkSync(join(path, file), join(folder, file));
    }
}
