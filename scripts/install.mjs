// Installs dependencies if node_modules does not match the lockfile, so that `npm test` works on a fresh clone. Otherwise does nothing.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const INSTALLED = "node_modules/.clustermesh-lockfile";

const lockfile = readFileSync("package-lock.json", "utf8");
if (!existsSync(INSTALLED) || readFileSync(INSTALLED, "utf8") !== lockfile) {
    console.error("installing dependencies from package-lock.json (about two minutes with an empty cache) ...");
    // The install scripts of two Pulumi packages only try to download provider plugins, which the engine does itself when it needs them.
    const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { stdio: "inherit" });
    if (npm.status !== 0) process.exit(npm.status ?? 1);
    writeFileSync(INSTALLED, lockfile);
}
const node = existsSync("node_modules/.bin/node") ? "node_modules/.bin/node" : "node";
spawnSync(node, ["scripts/node-version.mjs"], { stdio: "inherit" }).status === 0 || process.exit(1);
