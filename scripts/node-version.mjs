// Loaded before the program (Pulumi.yaml, nodeargs), by whatever Node is on the PATH: plain JavaScript, nothing imported.
const NEEDED = 24;

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
    console.error(
        `clustermesh needs Node ${NEEDED}, this is ${process.version}: run \`npm ci\` and then \`npm run pulumi -- <command>\`, ` +
            `which takes the Node that the lockfile brings (Linux), or install Node ${NEEDED}`,
    );
    process.exit(1);
}
