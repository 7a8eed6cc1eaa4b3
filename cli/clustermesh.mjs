#!/usr/bin/env node
// The entry point is plain JavaScript so that a Node too old for TypeScript reaches the version check and can say what to do.
import "../scripts/node-version.mjs";
import { existsSync } from "node:fs";
import module from "node:module";

// A command starts in a third of the time: Node keeps the JavaScript that it makes of the TypeScript files. NODE_DISABLE_COMPILE_CACHE=1 turns this off.
module.enableCompileCache();
// A clone has the sources. The package has what was built from them, because Node strips no types under node_modules.
await import(existsSync(new URL("main.ts", import.meta.url)) ? "./main.ts" : "../dist/cli/main.js");
