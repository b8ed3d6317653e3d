// Runs a script with the project's Node.js 24 after the set-up: `node scripts/with-node.mjs SCRIPT [ARGUMENT…]`.
import { runAndExit, setUp } from "./set-up.mjs";

runAndExit(await setUp(), process.argv.slice(2));
