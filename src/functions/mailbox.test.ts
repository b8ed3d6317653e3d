import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, bodyText, loadTestFunction, run } from "../../test/support/function-kit.ts";
import type { HostServiceCall, HostServiceResult } from "../host-services/guest/host-services.ts";
import { MAILBOX_BYTES } from "./mailbox.ts";

const bytesOf = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (first + index) % 251);

test("Payloads and replies of every size around the mailbox's arrive unchanged, whatever went before", async () => {
  await using loaded = await loadTestFunction({ source: "(subject, payload) => payload" });
  for (const length of [0, 1, 64, MAILBOX_BYTES - 1, MAILBOX_BYTES, MAILBOX_BYTES + 1, 3, 100_000, 0, 2]) {
    const payload = bytesOf(length, length);
    const outcome = await loaded.invoke("a", payload);
    assert.deepEqual(bodyOf(outcome), payload);
  }
});

test("Answers of host services of every size around the mailbox's arrive unchanged, and are the function's own", async () => {
  const sizes = [0, 1, MAILBOX_BYTES - 1, MAILBOX_BYTES, MAILBOX_BYTES + 1, 3, 100_000, 2];
  const callBlocking = ({ headers }: HostServiceCall): HostServiceResult => {
    const size = Number(headers["x-keyvalue-key"]);
    return { code: 200, message: "OK", body: bytesOf(size, size) };
  };
  await using loaded = await loadTestFunction({
    source: `(subject, payload) => {
      const kept = [payload, ...subject.split(".").map((size) => hostServices.kv.get(size))];
      const all = new Uint8Array(kept.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const bytes of kept) { all.set(bytes, at); at += bytes.length; bytes.fill(0) }
      return all;
    }`,
    hostServices: { call: async (call) => callBlocking(call), callBlocking },
  });
  for (let round = 0; round < 2; round++) {
    const outcome = await loaded.invoke(sizes.join("."), Uint8Array.of(1, 2, 3));
    const expected = Buffer.concat([Buffer.of(1, 2, 3), ...sizes.map((size) => bytesOf(size, size))]);
    assert.ok(expected.equals(bodyOf(outcome)));
  }
});

test("A payload is the function's own: what it does to it or keeps of it stays as it is", async () => {
  await using loaded = await loadTestFunction({
    source: `let kept; (subject, payload) => {
      if (subject === "keep") { kept = payload; return payload }
      payload.fill(7);
      return JSON.stringify([kept.buffer.byteLength, [...kept], payload.buffer === kept.buffer, payload.constructor === Uint8Array]) }`,
  });
  const given = Uint8Array.of(1, 2, 3);
  const outcome = await loaded.invoke("keep", given);
  const second = Uint8Array.of(9, 9, 9);
  assert.equal(bodyText(await loaded.invoke("look", second)), JSON.stringify("[3,[1,2,3],false,true]"));
  assert.deepEqual(second, Uint8Array.of(9, 9, 9));
  assert.deepEqual(bodyOf(outcome), Uint8Array.of(1, 2, 3));
});

test("Views, subclasses and resizable buffers are answered with exactly their bytes", async () => {
  const cases = [
    "new Uint8Array([0, 1, 2, 3]).subarray(1, 3)",
    "new (class extends Uint8Array {})([1, 2])",
    "new Uint8Array(new ArrayBuffer(2, { maxByteLength: 8 })).fill(1, 0, 1).fill(2, 1)",
    "new Uint8Array([1, 2]).buffer",
    "Object.defineProperty(new Uint8Array([1, 2]), 'length', { value: 70000 })",
    "Object.setPrototypeOf(new Uint8Array([1, 2]), null)",
  ];
  for (const value of cases) {
    const outcome = await run(`() => ${value}`);
    assert.deepEqual(bodyOf(outcome), Uint8Array.of(1, 2), value);
  }
});

test("A function never gets hold of the mailbox, whatever it has put in the place of built-ins", async () => {
  await using loaded = await loadTestFunction({
    source: `const seen = [];
      const { apply, defineProperty, getPrototypeOf, ownKeys, getOwnPropertyDescriptor } = Reflect;
      const { stringify } = JSON;
      const tag = getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "buffer").get;
      const plain = getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get;
      const look = (value) => {
        if (typeof value !== "object" || value === null) return;
        let buffer = value;
        try { buffer = apply(tag, value, []) } catch {}
        try { apply(plain, buffer, []) } catch { if (Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]") seen.push("shared") }
      };
      const spy = (object, name) => {
        const { value } = getOwnPropertyDescriptor(object, name) ?? {};
        if (typeof value !== "function" || name === "constructor") return;
        try { defineProperty(object, name, { value: function (...values) { look(this); values.forEach(look); return apply(value, this, values) } }) } catch {}
      };
      const views = getPrototypeOf(Uint8Array.prototype);
      const forEach = Array.prototype.forEach, push = Array.prototype.push;
      for (const name of ownKeys(views)) spy(views, name);
      for (const object of [Uint8Array, views.constructor]) {
        defineProperty(object, Symbol.species, { configurable: true, get() { return function (...values) { values.forEach(look); return new Uint8Array(16) } } });
      }
      defineProperty(views, "constructor", { configurable: true, get() { look(this); return Uint8Array } });
      for (const object of [Reflect, Function.prototype]) for (const name of ["apply", "call", "get", "construct"]) if (name in object && object !== Function.prototype) spy(object, name);
      globalThis.Uint8Array = new Proxy(Uint8Array, { construct(target, values) { values.forEach(look); return new target(...values) } });
      (subject, payload) => subject === "end" ? stringify(seen) : (look(payload), payload)`,
  });
  for (let round = 0; round < 3; round++) {
    const outcome = await loaded.invoke("echo", Uint8Array.of(4, 5));
    assert.deepEqual(bodyOf(outcome), Uint8Array.of(4, 5));
  }
  assert.equal(bodyText(await loaded.invoke("end", new Uint8Array(0))), JSON.stringify("[]"));
});
