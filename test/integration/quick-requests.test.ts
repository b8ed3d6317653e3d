import assert from "node:assert/strict";
import { test } from "node:test";
import { createInbox } from "@nats-io/nats-core";
import { CallTime } from "../../src/host-services/host/call-time.ts";
import { QuickRequests } from "../../src/host-services/host/quick-requests.ts";
import { connectToNats, createInboxFor } from "../../src/nats/connect.ts";
import { startNats } from "../support/start-nats.ts";
import { until } from "../support/until.ts";

const LATER = new CallTime(60_000);

test("QuickRequests gives each request its own answer, whatever their order", async () => {
  await using nats = await startNats();
  const connection = await nats.connect();
  const arrived: (() => void)[] = [];
  connection.subscribe("ask.*", {
    callback: (_error, message) => {
      arrived.push(() => void message.respond(message.subject));
      if (arrived.length === 100) for (const answer of arrived.toReversed()) answer();
    },
  });
  const requests = new QuickRequests(connection, createInbox());
  const subjects = Array.from({ length: 100 }, (_, index) => `ask.${index}`);
  const answers = await Promise.all(subjects.map((subject) => requests.request(subject, LATER)));
  assert.deepEqual(
    answers.map((answer) => answer.string()),
    subjects,
  );
});

test("QuickRequests ends each request at its time, and drops an answer that comes later", async () => {
  await using nats = await startNats();
  const connection = await nats.connect();
  const held = Promise.withResolvers<() => void>();
  connection.subscribe("late", {
    callback: (_error, message) => held.resolve(() => void message.respond("late")),
  });
  connection.subscribe("silent", { callback: () => {} });
  connection.subscribe("soon", { callback: (_error, message) => void message.respond("soon") });
  const requests = new QuickRequests(connection, createInbox());
  const patient = requests.request("silent", new CallTime(200));
  const impatient = requests.request("late", new CallTime(20));
  const patientToo = assert.rejects(patient, /no answer within 200 ms/);
  await assert.rejects(impatient, /no answer within 20 ms/);
  (await held.promise)();
  await patientToo;
  assert.equal((await requests.request("soon", LATER)).string(), "soon");
});

test("QuickRequests tells that nobody is there, and uses the inbox that a connection may have", async () => {
  await using nats = await startNats({
    configText: `authorization { users: [{ user: a, password: b, permissions: { publish: ">", subscribe: "_MY.>" } }] }`,
  });
  await using stack = new AsyncDisposableStack();
  const settings = { servers: nats.url, user: "a", password: "b", inboxPrefix: "_MY", name: "test" };
  const connection = await connectToNats(settings);
  stack.defer(async () => connection.close());
  const allowed = new QuickRequests(connection, createInboxFor(connection));
  assert.equal((await allowed.request("nobody", LATER)).headers?.code, 503);
  assert.equal(allowed.usable, true);
  const refused = new QuickRequests(connection, createInbox());
  const rejected = assert.rejects(refused.request("nobody", new CallTime(50)), /no answer within 50 ms/);
  await until(() => !refused.usable);
  await rejected;
});
