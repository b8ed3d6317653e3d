import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createEvent,
  createEventWriter,
  encodeEvent,
  isEventType,
  knownEvent,
  parseEvent,
} from "./events.ts";
import { EVENT_SCHEMAS } from "./event-types.ts";

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const deployed = {
  data: { workload_name: "echoservice", code: 0 },
  datacontenttype: "application/json",
  id: "0b6f0f0e-6b0c-4a55-9d0e-2f4a3f1b7c11",
  namespace: "default",
  source: "NBXHUHG5-cpv0k3752omq9k2v7g10",
  specversion: "1.0",
  time: "2024-07-03T09:46:40.123456789Z",
  type: "workload_deployed",
};

test("an event of a Go node is read, known and written back unchanged", () => {
  const event = parseEvent(json(deployed));
  assert.deepEqual(event, deployed);
  assert.deepEqual(knownEvent(event)?.data, deployed.data);
  assert.deepEqual(JSON.parse(Buffer.from(encodeEvent(event)).toString()), deployed);
});

test("createEvent fills id and time, its time without trailing zeros", () => {
  const make = (time: string): string =>
    createEvent({
      type: "node_stopped",
      source: "N1",
      data: { id: "N1", graceful: true },
      time: new Date(time),
    }).time;
  assert.equal(make("2024-07-03T09:46:40.120Z"), "2024-07-03T09:46:40.12Z");
  assert.equal(make("2024-07-03T10:00:00.000Z"), "2024-07-03T10:00:00Z");
  assert.equal(make("2024-07-03T10:00:00.001Z"), "2024-07-03T10:00:00.001Z");
  const [first, second] = [0, 1].map(() => createEvent({ type: "custom", source: "N1", data: { any: 1 } }));
  assert.match(first?.id ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u);
  assert.notEqual(first?.id, second?.id);
  assert.equal(first !== undefined && "namespace" in first, false);
  assert.ok(Math.abs(Date.now() - Date.parse(first?.time ?? "")) < 60_000);
});

test("older CloudEvents and base64 data are read as Go does", () => {
  for (const specversion of ["0.2", "0.3", "1.0"]) {
    assert.equal(parseEvent(json({ ...deployed, specversion })).type, "workload_deployed");
  }
  const { data, ...rest } = deployed;
  const data_base64 = Buffer.from(JSON.stringify(data)).toString("base64");
  assert.deepEqual(parseEvent(json({ ...rest, data_base64 })).data, data);
  assert.deepEqual(parseEvent(json(rest)).data, {});
});

test("parseEvent refuses what is no event", () => {
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ specversion: null }, 'field "specversion" is missing'],
    [{ specversion: "2.0" }, 'field "specversion" must be one of "1.0", "0.3", "0.2"'],
    [{ id: "" }, 'field "id" is not valid'],
    [{ source: undefined }, 'field "source" is missing'],
    [{ data: "text" }, 'field "data" must be an object'],
    [{ data: null, data_base64: "!" }, "body is empty"],
  ];
  for (const [change, message] of cases) {
    assert.throws(() => parseEvent(json({ ...deployed, ...change })), { code: "WIRE_INVALID", message });
  }
});

test("every event type is read from empty data, as by a Go client, and refused with data of wrong types", () => {
  for (const type of Object.keys(EVENT_SCHEMAS)) {
    assert.ok(isEventType(type));
    const event = parseEvent(json({ ...deployed, type, data: {} }));
    assert.equal(knownEvent(event)?.type, type);
  }
  const bad = parseEvent(json({ ...deployed, data: { workload_name: 1 } }));
  assert.throws(() => knownEvent(bad), { code: "WIRE_INVALID" });
});

test("unknown types are events too, but not known ones", () => {
  for (const type of ["toString", "__proto__", "custom"]) {
    assert.equal(knownEvent(parseEvent(json({ ...deployed, type }))), undefined);
  }
});

test("a writer of one kind of event writes what encodeEvent does", () => {
  const kind = { type: "function_exec_succeeded", source: 'N1-"1"', namespace: "de\u00e9\u2028" } as const;
  const write = createEventWriter(kind);
  for (const time of ["2024-07-03T09:46:40.120Z", "2024-07-03T10:00:00Z"].map((text) => new Date(text))) {
    const data = { workload_name: "echo", trigger_subject: "a.>", elapsed_nanos: 1200, namespace: "default" };
    const bytes = write(data, time);
    const { id } = parseEvent(bytes);
    assert.deepEqual(
      Buffer.from(bytes).toString(),
      Buffer.from(encodeEvent(createEvent({ ...kind, data, time, id }))).toString(),
    );
  }
});
