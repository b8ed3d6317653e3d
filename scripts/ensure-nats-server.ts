// Makes sure that a nats-server is there for development and tests, and prints one line about it.
import { delimiter, join } from "node:path";
import { errorText, NexError } from "../src/lib/errors.ts";
import { findNatsServer } from "../src/nats/server-binary.ts";
import type { NatsServerProgress } from "../src/nats/server-binary.ts";

let said = "";

try {
  const start = performance.now();
  const { path, version, source } = await findNatsServer({
    setting: process.env["NEX_NATS_SERVER"],
    searchPath: (process.env["PATH"] ?? "").split(delimiter),
    cacheDir: join(import.meta.dirname, "..", ".cache", "nats-server"),
    environment: process.env,
    onProgress: say,
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`nats-server ${version} from ${source}: ${path} (${seconds} s)`);
} catch (error) {
  console.error(errorText(error));
  if (error instanceof NexError && error.hint !== undefined) console.error(error.hint);
  process.exitCode = 1;
}

/** On standard error, once per step. */
function say({ message }: NatsServerProgress): void {
  if (message === said) return;
  said = message;
  console.error(message);
}
