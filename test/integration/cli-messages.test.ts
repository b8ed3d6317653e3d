import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { headers } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { NEX, runNex, startNex } from "../support/run-nex.ts";
import type { NexResult, RunningNex, RunNexOptions } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";

let nats: TestNats;
let connection: NatsConnection;

before(async () => {
  nats = await startNats({
    jetstream: false,
    configText: `no_auth_user: open
authorization { users: [
  { user: open, password: open }
  { user: narrow, password: narrow, permissions: { publish: "allowed", subscribe: ["allowed", "_INBOX.>"] } }
] }`,
  });
  connection = await nats.connect();
  connection.subscribe("echo", {
    callback: (_, message) =>
      void message.respond(message.data, { ...(message.headers && { headers: message.headers }) }),
  });
  connection.subscribe("silent", { callback: () => {} });
  await connection.flush();
});
after(async () => nats?.[Symbol.asyncDispose]());

function nex(args: readonly string[], options: RunNexOptions = {}): Promise<NexResult> {
  return runNex(args, { ...options, env: { NATS_URL: nats.url, ...options.env } });
}

function start(args: readonly string[]): Promise<RunningNex> {
  return startNex(args, { env: { NATS_URL: nats.url } });
}

const RTT = String.raw`\d\d:\d\d:\d\d Received with rtt \d+(\.\d+)?(µs|ms|s)`;

describe("nex req", { concurrency: 2 }, () => {
  test("prints what the classic tool prints, the body alone on stdout", async () => {
    const { code, stdout, stderr } = await nex(["req", "echo", "this is a test"]);
    assert.deepEqual([code, stdout], [0, "this is a test\n"]);
    assert.match(stderr, new RegExp(`^\\d\\d:\\d\\d:\\d\\d Sending request on "echo"\\n${RTT}\\n$`));
  });

  test("sends headers and prints those of the reply before an empty line and the body", async () => {
    const { stdout } = await nex(["req", "echo", "x", "--header=A: 1", "-H", "A:2", "-H", "B: c: d"]);
    assert.equal(stdout, "A: 1\nA: 2\nB: c: d\n\nx\n");
  });

  test("reads the body from a pipe, byte for byte", async () => {
    const input = new Uint8Array([0, 255, 10, 13, 128]);
    const piped = await nex(["req", "echo", "--json"], { input });
    const dash = await nex(["req", "echo", "-", "--json"], { input });
    for (const { stdout } of [piped, dash]) {
      const { rtt_ns, ...reply } = JSON.parse(stdout) as { readonly rtt_ns: number };
      assert.deepEqual(reply, {
        subject: "echo",
        headers: {},
        data_base64: Buffer.from(input).toString("base64"),
      });
      assert.ok(rtt_ns > 0);
    }
  });

  test("prints nothing but the bodies with --raw, one per --count", async () => {
    const { stdout, stderr } = await nex(["req", "echo", "x\n", "--raw", "--count=2"]);
    assert.deepEqual([stdout, stderr], ["x\nx\n", ""]);
  });

  test("sends an empty body without one", async () => {
    const { code, stdout } = await nex(["req", "echo", "--json"]);
    assert.equal(code, 0);
    assert.equal((JSON.parse(stdout) as { readonly data: string }).data, "");
  });

  const failures: readonly (readonly [args: string[], stderr: RegExp])[] = [
    [["nobody", "x"], /^nex: error: No responders are available\nhint: /m],
    [["silent", "x", "--timeout=50ms"], /^nex: error: No reply on "silent" within 50 ms\n/m],
    [["a.*", "x"], /^nex: error: 'a\.\*' is no subject to publish on .*try --help/],
    [["a b", "x"], /is no subject to publish on/],
    [["echo", "x", "-H", "nothing"], /^nex: error: expected header 'Name: value' got 'nothing', try --help/],
    [["echo", "x", "-H", "a b: c"], /^nex: error: header 'a b: c': /],
    [["denied", "x", "--user=narrow", "--password=narrow"], /^nex: error: .*(permission|denied)/im],
    [
      ["echo", "x", "--user=open", "--password=wrong"],
      /^nex: error: Cannot connect to NATS server .*refused/,
    ],
  ];
  for (const [args, pattern] of failures) {
    test(`${args.join(" ").slice(0, 40)} fails with exit code 1`, async () => {
      const { code, stdout, stderr } = await nex(["req", ...args]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, pattern);
      assert.doesNotMatch(stderr, /wrong/);
    });
  }

  test("says that a message is larger than the server accepts", async () => {
    const { code, stderr } = await nex(["req", "echo"], { input: new Uint8Array(2 * 1024 * 1024) });
    assert.equal(code, 1);
    assert.match(stderr, /larger than the server accepts/);
  });
});

describe("nex req, interrupted", () => {
  test("ends with exit code 1", async () => {
    await using req = await start(["req", "silent", "x", "--timeout=60s"]);
    await req.waitForLine(/Sending request on "silent"/);
    req.signal("SIGINT");
    const { code, stdout, stderr } = await req.exit;
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /\nnex: error: Interrupted by SIGINT\n$/);
  });
});

describe("nex pub", { concurrency: 2 }, () => {
  test("publishes body, headers and reply subject", async () => {
    const messages = connection.subscribe("orders.new", { max: 2 });
    await connection.flush();
    const { code, stdout, stderr } = await nex([
      "pub",
      "orders.new",
      "tea",
      "-H",
      "A: 1",
      "--reply=back",
      "--count=2",
    ]);
    assert.deepEqual([code, stdout], [0, ""]);
    assert.match(stderr, /^(\d\d:\d\d:\d\d Published 3 bytes to "orders\.new"\n){2}$/);
    for await (const message of messages) {
      assert.deepEqual([message.string(), message.headers?.get("A"), message.reply], ["tea", "1", "back"]);
    }
  });

  test("prints a result with --json", async () => {
    const { stdout, stderr } = await nex(["pub", "orders.old", "tea", "--json"]);
    assert.deepEqual([JSON.parse(stdout), stderr], [{ subject: "orders.old", bytes: 3, count: 1 }, ""]);
  });

  test("fails when the server does not allow it", async () => {
    const { code, stderr } = await nex(["pub", "denied", "x", "--user=narrow", "--password=narrow"]);
    assert.equal(code, 1);
    assert.match(stderr, /^nex: error: Cannot publish on "denied": .*permissions violation/im);
  });
});

describe("nex sub", { concurrency: 2 }, () => {
  test("prints messages as the classic tool does and ends after --count", async () => {
    await using sub = await start(["sub", "news.>", "--count=2"]);
    await sub.waitForLine(/Subscribing on news\.>/);
    const more = headers();
    more.append("A", "1");
    connection.publish("news.a", "one");
    connection.publish("news.b.c", "two", { reply: "back", headers: more });
    const { code, stdout } = await sub.exit;
    assert.equal(code, 0);
    assert.equal(
      stdout,
      '[#1] Received on "news.a"\none\n\n[#2] Received on "news.b.c" with reply "back"\nA: 1\n\ntwo\n\n',
    );
  });

  test("prints one line of JSON per message", async () => {
    await using sub = await start(["sub", "json", "--json"]);
    await sub.waitForLine(/Subscribing on json/);
    connection.publish("json", "one");
    const [line] = await sub.waitForLine(/^\{.*\}$/);
    assert.deepEqual(JSON.parse(line), { subject: "json", headers: {}, data: "one" });
    sub.signal("SIGINT");
    assert.equal((await sub.exit).code, 0);
  });

  for (const name of ["SIGINT", "SIGTERM"] as const) {
    test(`ends quietly with exit code 0 on ${name}`, async () => {
      await using sub = await start(["sub", "quiet"]);
      await sub.waitForLine(/Subscribing on quiet/);
      sub.signal(name);
      const { code, stdout, stderr } = await sub.exit;
      assert.deepEqual([code, stdout], [0, ""]);
      assert.match(stderr, /^\d\d:\d\d:\d\d Subscribing on quiet\n$/);
    });
  }

  test("ends quietly when the reader of its output has gone", async () => {
    const command = `"${NEX}" sub flood 2>&1 | head -n 1`;
    const reader = spawn("sh", ["-c", command], {
      env: { PATH: process.env["PATH"], NATS_URL: nats.url },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = Promise.withResolvers<void>();
    reader.once("close", () => ended.resolve());
    const flood = setInterval(() => connection.publish("flood", "x"), 5);
    try {
      const [output, errors] = await Promise.all([text(reader.stdout), text(reader.stderr), ended.promise]);
      assert.match(output, /^\S+ Subscribing on flood\n$/);
      assert.equal(errors, "");
    } finally {
      clearInterval(flood);
    }
  });

  test("fails when the server does not allow it", async () => {
    const { code, stderr } = await nex(["sub", "denied", "--user=narrow", "--password=narrow"]);
    assert.equal(code, 1);
    assert.match(stderr, /^nex: error: Cannot subscribe to "denied": .*permissions violation/im);
  });
});
