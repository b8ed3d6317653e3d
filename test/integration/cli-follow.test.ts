import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { createEvent, createSigningKey, encodeEvent } from "../../src/control-api/index.ts";
import { startFakeNode } from "../support/fake-node.ts";
import { runNex, startNex } from "../support/run-nex.ts";
import type { RunningNex } from "../support/run-nex.ts";
import { startNats } from "../support/start-nats.ts";
import type { TestNats } from "../support/start-nats.ts";

const nodeId = createSigningKey("server").publicKey;
const id = "cpv0k3752omq9k2v7g10";
const shortNode = `${nodeId.slice(0, 11)}...${nodeId.slice(-11)}`;
const TIME = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;

let nats: TestNats;
let connection: NatsConnection;

before(async () => {
  nats = await startNats({
    jetstream: false,
    configText: `no_auth_user: open
authorization { users: [
  { user: open, password: open }
  { user: narrow, password: narrow, permissions: { publish: ">", subscribe: ["_INBOX.>"] } }
] }`,
  });
  connection = await nats.connect();
});
after(async () => nats?.[Symbol.asyncDispose]());

/** A `nex logs` or `nex events` whose subscriptions the server has. */
async function following(args: readonly string[], url = nats.url): Promise<RunningNex> {
  const nex = await startNex(args, { env: { NATS_URL: url, NATS_TIMEOUT: "500ms" } });
  await nex.waitForLine(/, Ctrl-C ends$/);
  return nex;
}

function publishLog(tokens: string, level: string | number, text: string): void {
  connection.publish(`$NEX.logs.${tokens}`, JSON.stringify({ text, level, id }));
}

function publishEvent(namespace: string, type: string, data: object, source = nodeId): void {
  const event = createEvent<string>({ type, source, data: data as never, time: new Date(0) });
  connection.publish(`$NEX.events.${namespace}.${type}`, encodeEvent(event));
}

// One at a time: each sees the messages that the others publish.
describe("nex logs", { concurrency: false }, () => {
  test("prints time, level, workload and text, a line for each line, whatever the order of the subject", async () => {
    await using nex = await following(["logs", "--count=5"]);
    publishLog(`default.${nodeId}.echo.${id}`, "INFO", "one\ntwo\n");
    publishLog(`default.${nodeId}.${id}.echo`, "WARN", "swapped");
    publishLog(`default.${nodeId}.echo.${id}`, 4, "a number is no level");
    publishLog(`default.${nodeId}.echo.${id}.more`, "INFO", "seven tokens");
    publishLog(`other.${nodeId}.echo.${id}`, "INFO", "another namespace");
    connection.publish(`$NEX.logs.system.${nodeId}.stdout`, "[INF] line of a node");
    publishLog(`default.${nodeId}.echo.${id}`, "DEBUG-1", "\u001b[31mred\u001b[0m");
    publishLog(`default.${nodeId}.echo.${id}`, "INFO+2", "offset");
    publishLog(`default.${nodeId}.echo.${id}`, "error", "bad");
    const { code, stdout, stderr } = await nex.exit;
    assert.deepEqual([code, stderr], [0, 'Logs of all workloads in namespace "default", Ctrl-C ends\n']);
    assert.match(
      stdout,
      new RegExp(
        `^${[
          ["INF", "one"],
          ["INF", "two"],
          ["WRN", "swapped"],
          ["DBG", "red"],
          ["INF", "offset"],
          ["ERR", "bad"],
        ]
          .map(([level, text]) => String.raw`\[${level}\] ${TIME} - echo \| ${text}\n`)
          .join("")}$`,
      ),
    );
  });

  const filters: readonly (readonly [args: readonly string[], texts: readonly string[]])[] = [
    [["--level=warn"], ["swapped", "bad", "end"]],
    [["echo"], ["one", "swapped", "bad", "end"]],
    [[id], ["one", "swapped", "debug", "other", "bad", "end"]],
    [
      ["--workload_name=echo", "--level=error"],
      ["bad", "end"],
    ],
    [
      [`--workload_id=${id}`, "--level=info"],
      ["one", "swapped", "other", "bad", "end"],
    ],
    [
      [`--node=${nodeId}`, "other"],
      ["debug", "other", "end"],
    ],
    [["--namespace=shop"], ["shop", "end"]],
    [
      ["--namespace=*", "--level=info"],
      ["one", "swapped", "other", "shop", "bad", "end"],
    ],
  ];
  for (const [args, texts] of filters) {
    test(`${args.join(" ").replace(nodeId, "N…")} prints ${texts.length} of the entries`, async () => {
      await using nex = await following(["logs", ...args, `--count=${texts.length}`, "--json"]);
      publishLog(`default.${nodeId}.echo.${id}`, "INFO", "one");
      publishLog(`default.${nodeId}.${id}.echo`, "WARN", "swapped");
      publishLog(`default.${nodeId}.other.${id}`, "DEBUG", "debug");
      publishLog(`default.${nodeId}.other.${id}`, "INFO", "other");
      publishLog(`shop.${nodeId}.echo.${id}`, "INFO", "shop");
      publishLog(`default.${nodeId}.echo.${id}`, "ERROR", "bad");
      for (const namespace of ["default", "shop"]) {
        publishLog(`${namespace}.${nodeId}.${texts[0] === "debug" ? "other" : "echo"}.${id}`, "ERROR", "end");
      }
      const { code, stdout } = await nex.exit;
      const entries = stdout.trim().split("\n");
      assert.deepEqual(
        [code, entries.map((line) => (JSON.parse(line) as { readonly text: string }).text)],
        [0, texts],
      );
    });
  }

  test("prints the documented shape with --json, and more in a line with --full", async () => {
    await using json = await following(["logs", "--json", "--count=1"]);
    await using full = await following(["logs", "--full", "--count=1"]);
    publishLog(`default.${nodeId}.${id}.echo`, "INFO+2", "a\nb");
    const { time, ...rest } = JSON.parse((await json.exit).stdout) as { readonly time: string };
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(rest, {
      namespace: "default",
      node_id: nodeId,
      workload_name: "echo",
      workload_id: id,
      level: "INFO+2",
      text: "a\nb",
    });
    assert.match(
      (await full.exit).stdout,
      new RegExp(
        String.raw`- echo \| a namespace=default node=${nodeId} vmid=${id}\n.*- echo \| b namespace`,
      ),
    );
  });

  test("finds the node by its name", async () => {
    await using node = await startFakeNode({ url: nats.url, name: "quiet-otter" });
    await using nex = await following(["logs", "--node=quiet-otter", "--count=1"]);
    publishLog(`default.${nodeId}.echo.${id}`, "INFO", "of another node");
    publishLog(`default.${node.nodeId}.echo.${id}`, "INFO", "found");
    assert.match((await nex.exit).stdout, /^\[INF\] [^|]* \| found\n$/);
  });

  test("ends at Ctrl-C with exit code 0, and prints nothing but the log into a pipe", async () => {
    await using nex = await following(["logs"]);
    nex.signal("SIGINT");
    const { code, stdout } = await nex.exit;
    assert.deepEqual([code, stdout], [0, ""]);
  });

  test("goes on after the server was away, and says so", async () => {
    await using own = await startNats({ jetstream: false });
    await using nex = await following(["logs", "--count=1"], own.url);
    await own.stop();
    await nex.waitForLine(/\[WRN\] .* - Lost the NATS connection, trying to get it back$/);
    await own.start();
    await nex.waitForLine(/\[INF\] .* - Connected to NATS again$/);
    const again = await own.connect();
    again.publish(
      `$NEX.logs.default.${nodeId}.echo.${id}`,
      JSON.stringify({ text: "on", level: "INFO", id }),
    );
    const { code, stdout } = await nex.exit;
    assert.equal(code, 0);
    assert.match(stdout, /^\[INF\] [^|]* \| on\n$/);
  });

  const mistakes: readonly (readonly [args: readonly string[], text: RegExp])[] = [
    [
      ["logs", "--level=loud"],
      /^nex: error: flag '--level' must be one of debug, info, warn, error, got 'loud'/,
    ],
    [["logs", "a", "--workload_name=b"], /^nex: error: the argument and flag '--workload_name' exclude/],
    [["logs", "--node=nobody"], /^nex: error: No node "nobody": no nodes discovered\nhint: /],
    [["logs", "--namespace=a.b"], /^nex: error: Namespace "a\.b" is not valid\nhint: /],
    [
      ["logs", "--user=narrow", "--password=narrow"],
      /^nex: error: Cannot watch logs: .*\$NEX\.logs.*\nhint: /i,
    ],
    [["events", "--user=narrow", "--password=narrow"], /^nex: error: Cannot watch events: .*\nhint: /i],
    [
      ["events", "--namespace=system"],
      /^nex: error: namespace filter cannot contain the token 'system', as that is automatically subscribed\nhint: /,
    ],
  ];
  for (const [args, text] of mistakes) {
    test(`refuses ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await runNex(args, {
        env: { NATS_URL: nats.url, NATS_TIMEOUT: "200ms" },
      });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr.replace(/^(Logs|Events) of .*\n/, ""), text);
    });
  }
});

describe("nex events", { concurrency: false }, () => {
  test("prints the events of the namespace and those of the nodes, with the fields of their types", async () => {
    await using nex = await following(["events", "--count=4", "--timeformat=DateOnly"]);
    const source = `${nodeId}-${id}`;
    publishEvent("default", "workload_deployed", { workload_name: "echo", code: 0 }, source);
    publishEvent("other", "workload_deployed", { workload_name: "other", code: 0 }, source);
    connection.publish("$NEX.events.default.broken", "{}");
    await connection.flush();
    await nex.waitForLine(/event_type=workload_deployed/);
    publishEvent("system", "node_stopped", { id: nodeId, graceful: true });
    await connection.flush();
    await nex.waitForLine(/event_type=node_stopped/);
    publishEvent("default", "workload_undeployed", { workload_name: "echo", code: 3, message: "m" }, source);
    publishEvent("default", "custom", { a: { b: 1 }, c: "d\n[INF] forged" }, source);
    const { code, stdout } = await nex.exit;
    const from = `node=${shortNode}`;
    const day = "1970-01-01";
    assert.equal(code, 0);
    assert.equal(
      stdout,
      `[INF] ${day} - Received namespace=default event_type=workload_deployed ${from} vmid=${id} workload_name=echo
[INF] ${day} - Received namespace=system event_type=node_stopped ${from} graceful=true
[INF] ${day} - Received namespace=default event_type=workload_undeployed ${from} vmid=${id} workload_name=echo code=3 message=m
[INF] ${day} - Received namespace=default event_type=custom ${from} vmid=${id} a={"b":1} c=d\\n[INF] forged
`,
    );
  });

  test("prints the documented shape with --json, of every namespace with *", async () => {
    await using nex = await following(["events", "--json", "--namespace=*", "--count=1"]);
    publishEvent("shop", "function_exec_failed", { workload_name: "f", error: "e" }, `${nodeId}-${id}`);
    const { id: eventId, ...rest } = JSON.parse((await nex.exit).stdout) as { readonly id: string };
    assert.match(eventId, /^[\da-f-]{36}$/);
    assert.deepEqual(rest, {
      namespace: "shop",
      type: "function_exec_failed",
      source: `${nodeId}-${id}`,
      time: "1970-01-01T00:00:00Z",
      data: { workload_name: "f", error: "e" },
    });
  });
});
