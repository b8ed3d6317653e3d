import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runNex, startNex } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

let nats: TestNats;
let directory: string;

before(async () => {
  nats = await startNats();
  directory = await mkdtemp(join(tmpdir(), "nex-test-logger-"));
});
after(async () => {
  await nats[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const up = (...flags: string[]): string[] => ["node", "up", "--no-sandbox", ...flags];
const AWAITING = "NATS execution engine awaiting commands";

test("--logger nats publishes raw lines below the node's id, errors apart, also those from before it was connected", async () => {
  const lines: { readonly subject: string; readonly text: string }[] = [];
  const connection = await nats.connect();
  connection.subscribe("$NEX.logs.system.>", {
    callback: (_error, message) => {
      lines.push({ subject: message.subject, text: message.string() });
    },
  });
  await connection.flush();
  await using nex = await startNex(up("--logger=nats"), { env: { NATS_URL: nats.url, TMPDIR: directory } });
  const ready = await until(() => lines.find(({ text }) => text.includes(AWAITING)));
  const nodeId = /\bid=(N\w+)/.exec(ready?.text ?? "")?.[1];
  assert.equal(ready?.subject, `$NEX.logs.system.${nodeId}.stdout`);
  assert.match(ready?.text ?? "", /^\[INF\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d - NATS execution engine/);
  assert.match(lines[0]?.text ?? "", /^\[\w+\] /);
  assert.ok(lines.findIndex(({ text }) => text.includes("Established node NATS connection")) >= 0);
  assert.ok(lines.every(({ text }) => !text.includes("\n")));
  nex.signal("SIGTERM");
  assert.equal((await nex.exit).code, 0);
  await until(() => lines.some(({ text }) => text.includes("Publishing node stopped event")));
  assert.equal(nex.stderr(), "");
});

test("--logger file writes nex.log in the working directory, beside std", async () => {
  await using nex = await startNex(up("--logger=std", "--logger=file"), {
    cwd: directory,
    env: { NATS_URL: nats.url, TMPDIR: directory },
  });
  await nex.waitForLine(new RegExp(AWAITING));
  nex.signal("SIGTERM");
  assert.equal((await nex.exit).code, 0);
  const log = await readFile(join(directory, "nex.log"), "utf8");
  assert.equal(log, nex.stderr());
  assert.equal(existsSync(join(directory, "nex.err")), false, "there was no error");
});

test("--logger nats is refused where there is no node; NEX_LOGGER is not", async () => {
  const refused = await runNex(["node", "ls", "--logger=nats"], { env: { NATS_URL: nats.url } });
  assert.deepEqual(
    [refused.code, refused.stderr],
    [1, "nex: error: logger 'nats' is for 'nex node up' only, try --help\n"],
  );
  const fine = await runNex(["node", "ls"], {
    env: { NATS_URL: nats.url, NEX_LOGGER: "nats", NATS_TIMEOUT: "100ms" },
  });
  assert.equal(fine.code, 0);
});
