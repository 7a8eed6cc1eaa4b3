import { existsSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";

/**
 * The folder of Pulumi.yaml. It is not the working directory if `main` names a file in another folder, such as an installed package: the engine then runs the
 * program in that folder (pulumi/pulumi pkg/engine, getPwdMain).
 */
export function projectFolder(): string {
    const root = pulumi.getRootDirectory();
    // An engine too old to say gives a name instead of a path (3.153.1).
    if (isAbsolute(root)) return root;
    for (let folder = process.cwd(); folder !== dirname(folder); folder = dirname(folder))
        if (existsSync(join(folder, "Pulumi.yaml"))) return folder;
    return process.cwd();
}
