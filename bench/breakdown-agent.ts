// The other process of breakdown.ts: makes blocking calls to it and prints what one costs.
import { readSync, writeSync } from "node:fs";
import { createBlockingCalls } from "../src/agent-api/blocking-calls.ts";
import { timesUs } from "./statistics.ts";

const calls = createBlockingCalls(3);
const bytes = Buffer.alloc(100);
const request = (): void => {
  calls.request("hostint.id.rpc.default.kv.kv.get", new Uint8Array(0), { "x-keyvalue-key": "key" });
};
const echo = (descriptor: number) => (): void => {
  writeSync(descriptor, bytes);
  readSync(descriptor, bytes);
};
for (const work of [echo(4), request, echo(5)]) {
  await timesUs(2000, work);
  process.send?.(await timesUs(5000, work));
}
