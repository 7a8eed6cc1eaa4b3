import * as pulumi from "@pulumi/pulumi";
import { NAMESPACE, SETTINGS_KEY } from "../core/settings/key.ts";
import { parseConfig, type StackConfig } from "../core/settings/parse.ts";
import { stackFile } from "../core/stack-names.ts";
import { problemList } from "../core/text/problems.ts";
import { projectFolder } from "./project-folder.ts";

/**
 * Reads the settings of the running stack. Separate from core/settings/parse.ts, because the command line validates stack files without loading Pulumi's SDK,
 * which takes about a second.
 *
 * @throws RunError with every problem of the file
 */
export function loadConfig(): StackConfig {
    // Named: `new Config()` would read `<project>:stack`, and the project may have any name (`pulumi new` asks for one).
    const config = new pulumi.Config(NAMESPACE);
    // Pulumi puts a key without a namespace into the project's own.
    const prefixes = [`${NAMESPACE}:`, `${pulumi.getProject()}:`];
    const stray = Object.keys(pulumi.runtime.allConfig()).filter(
        (key) => prefixes.some((prefix) => key.startsWith(prefix)) && key !== SETTINGS_KEY,
    );
    // The file and object-store backends call their only organization `organization`.
    const parsed = parseConfig(config.getObject("stack"), `${pulumi.getOrganization()}/${pulumi.getProject()}`, projectFolder());
    const problems = [...stray.map((key) => `unknown key "${key}": all settings go under ${SETTINGS_KEY}`), ...parsed.problems];
    if (!parsed.config || problems.length > 0)
        throw new pulumi.RunError(`${stackFile(pulumi.getStack())} is invalid:\n${problemList(problems)}`);
    // Set by `clustermesh up --rolling`, for one run.
    if (parsed.config.kind === "mesh" && process.env.CLUSTERMESH_ROLLING === "true") return { ...parsed.config, rolling: true };
    return parsed.config;
}
