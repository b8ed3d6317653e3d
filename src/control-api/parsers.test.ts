import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { NexError } from "../lib/errors.ts";
import { encodeAuctionRequest, parseAuctionRequest } from "./auction.ts";
import { encodeDeployReply, encodeDeployRequest, parseDeployReply, parseDeployRequest } from "./deploy.ts";
import { encodeFailure, parseReply } from "./envelope.ts";
import { createEvent, encodeEvent, knownEvent, parseEvent } from "./events.ts";
import { encodeInfoReply, parseInfoReply } from "./info.ts";
import { encodeLameDuckReply, parseLameDuckReply } from "./lame-duck.ts";
import { locationOf } from "./location.ts";
import { encodeLogEntry, parseWorkloadLog } from "./logs.ts";
import { encodePingReply, parsePingReply } from "./ping.ts";
import { encodeStopReply, encodeStopRequest, parseStopReply, parseStopRequest } from "./stop.ts";
import { encodeWorkloadPingReply, parseWorkloadPingReply } from "./workload-ping.ts";

const node = { node_id: "N1", version: "1", uptime: "1s", target_xkey: "X1", tags: { a: "b" } };
const credentials = { nats_url: "u", nats_user_jwt: "j", nats_user_seed: "s" };
const workload = { name: "w", runtime: "1s", type: "v8", hash: "h" };

/** Every parser, and a good message for it to start from. */
const PARSERS: Readonly<Record<string, readonly [(bytes: Uint8Array) => unknown, Uint8Array]>> = {
  parseAuctionRequest: [
    parseAuctionRequest,
    encodeAuctionRequest({ arch: "a", sandboxed: false, tags: { a: "b" }, workload_types: ["v8"] }),
  ],
  parseDeployReply: [parseDeployReply, encodeDeployReply({ started: true, id: "i", issuer: "A", name: "n" })],
  parseDeployRequest: [
    parseDeployRequest,
    encodeDeployRequest({
      argv: ["a"],
      description: "d",
      type: "v8",
      location: locationOf({ bucket: "B", key: "k" }),
      workload_jwt: "j",
      environment: "e",
      sender_public_key: "X",
      trigger_subjects: ["t"],
      trigger_connection: credentials,
      host_services: credentials,
      retry_count: 1,
      retried_at: "2024-07-03T09:46:40Z",
    }),
  ],
  parseEvent: [
    (bytes) => knownEvent(parseEvent(bytes)),
    encodeEvent(
      createEvent({ type: "node_started", source: "N", data: { version: "1", id: "N", tags: { a: "b" } } }),
    ),
  ],
  parseInfoReply: [
    parseInfoReply,
    encodeInfoReply({
      version: "1",
      uptime: "1s",
      public_xkey: "X",
      tags: {},
      memory: { total: 1, free: 1, available: 1 },
      machines: [{ id: "i", healthy: true, uptime: "1s", namespace: "n", workload }],
      supported_workload_types: ["v8"],
    }),
  ],
  parseLameDuckReply: [parseLameDuckReply, encodeLameDuckReply({ node_id: "N", success: true })],
  parsePingReply: [parsePingReply, encodePingReply({ ...node, running_machines: 1 })],
  parseReply: [parseReply, encodeFailure("stop", "no")],
  parseStopReply: [parseStopReply, encodeStopReply({ stopped: true, id: "i", issuer: "A", name: "n" })],
  parseStopRequest: [parseStopRequest, encodeStopRequest({ workload_id: "i", workload_jwt: "j" })],
  parseWorkloadLog: [
    (bytes) => parseWorkloadLog("$NEX.logs.ns.N1.a.b", bytes),
    encodeLogEntry({ text: "t", level: "INFO", id: "i" }),
  ],
  parseWorkloadPingReply: [
    parseWorkloadPingReply,
    encodeWorkloadPingReply({
      ...node,
      running_machines: [{ id: "i", namespace: "n", name: "w", type: "v8" }],
    }),
  ],
};

/** Runs a parser; whatever it throws must be a NexError with a short text. */
function parseAnything(parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    parse(bytes);
  } catch (error) {
    assert.ok(error instanceof NexError, `threw ${String(error)}`);
    assert.ok(error.message.length < 300, error.message);
  }
  assert.equal(Object.keys(Object.prototype).length, 0);
}

/** A JSON value with one part, anywhere in it, replaced: by another value, by nothing, or under another key. */
function mutations(good: unknown): fc.Arbitrary<unknown> {
  const paths = pathsOf(good, []);
  const key = fc.constantFrom("__proto__", "constructor", "toString", "TYPE", "data", "");
  return fc
    .tuple(
      fc.constantFrom(...paths),
      fc.option(fc.jsonValue({ maxDepth: 3 }), { nil: undefined }),
      fc.option(key),
    )
    .map(([path, value, newKey]) => replaced(good, path, value, newKey));
}

function pathsOf(value: unknown, path: readonly string[]): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...path, key]))];
}

function replaced(whole: unknown, path: readonly string[], value: unknown, newKey: string | null): unknown {
  const [first, ...rest] = path;
  if (first === undefined || typeof whole !== "object" || whole === null) return value;
  const entries = Object.entries(whole).map(([key, child]): [string, unknown] =>
    key === first ? [newKey ?? key, replaced(child, rest, value, newKey)] : [key, child],
  );
  return Array.isArray(whole) ? entries.map(([, child]) => child) : Object.fromEntries(entries);
}

for (const [name, [parse, good]] of Object.entries(PARSERS)) {
  test(`${name} reads a good message, and gives a value or a NexError for any bytes and any JSON`, () => {
    if (name !== "parseReply") assert.doesNotThrow(() => parse(good));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => parseAnything(parse, bytes)));
    fc.assert(fc.property(fc.json(), (text) => parseAnything(parse, Buffer.from(text))));
    fc.assert(
      fc.property(mutations(JSON.parse(Buffer.from(good).toString())), (value) => {
        parseAnything(parse, Buffer.from(JSON.stringify(value) ?? ""));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 255 }), (at, byte) => {
        parseAnything(parse, Uint8Array.from(good).fill(byte, at % good.length, (at % good.length) + 1));
        parseAnything(parse, good.subarray(0, at % good.length));
      }),
    );
  });
}
