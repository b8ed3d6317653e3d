// `npm test [-- FILE…]`: sets the clone up, then runs Node's test runner over all test files (or the given ones).
import { root, runAndExit, setUp } from "./set-up.mjs";

const node = await setUp({ hostPackages: true });
const chosen = process.argv.slice(2);
const patterns = chosen.length > 0 ? chosen : ["src/**/*.test.ts", "test/**/*.test.ts"];
process.chdir(root);
runAndExit(node, ["--test", "--test-concurrency=3", "--test-timeout=600000", ...patterns]);
