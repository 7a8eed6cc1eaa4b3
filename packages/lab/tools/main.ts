// Builds every program that the lab runs and that is not on the PATH: node packages/lab/tools/main.ts
import { cacheFolder } from "./cache.ts";
import { MODULES } from "./catalog.ts";
import { ciliumSources } from "./cilium.ts";
import { ensureTools } from "./tools.ts";

const start = performance.now();
const log = (line: string) => console.error(line);
try {
    const tools = await ensureTools(
        MODULES.flatMap(({ tools }) => tools),
        { log },
    );
    for (const [name, file] of Object.entries(tools)) console.log(`${name}\t${file}`);
    console.log(`cilium sources\t${await ciliumSources({ log })}`);
    log(`ready after ${Math.round((performance.now() - start) / 1000)} s; the cache is ${cacheFolder()}`);
} catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
}
