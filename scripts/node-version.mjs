// Loaded before the program (nodeargs in Pulumi.yaml) by any version of Node on the PATH: plain JavaScript without imports.
const NEEDED = 24;

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
    console.error(
        `clustermesh needs Node ${NEEDED}, but this is ${process.version}: install Node ${NEEDED}; or (on Linux) run \`npm ci\` and then ` +
            "`npm run mesh -- <command>` or `npm run pulumi -- <command>`, which use the Node that the lockfile brings",
    );
    process.exit(1);
}
