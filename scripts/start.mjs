// `npm start`: sets the clone up, then brings up NATS, a node and the example workloads.
import { join } from "node:path";
import { root, runAndExit, setUp } from "./set-up.mjs";

runAndExit(await setUp(), [join(root, "scripts", "start.ts"), ...process.argv.slice(2)]);
