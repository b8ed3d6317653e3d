// A function must reach nothing of the agent: every way out known to work against weaker sandboxes, and ours.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answer,
  loadTestFunction,
  recordingHostServices,
  bodyText,
} from "../../../test/support/function-kit.ts";

/** Values the function can get hold of, each tried as the start of a way out. */
const REACHABLE = [
  "payload",
  "payload.buffer",
  "subject",
  "env",
  "console",
  "console.log",
  "hostServices",
  "hostServices.kv.get",
  "globalThis",
  "(async () => {})()",
  "(() => { try { hostServices.kv.get('x') } catch (error) { return error } })()",
  "(() => { try { (function deep() { deep() })() } catch (error) { return error } })()",
  "(() => { try { hostServices.kv.set('k', Symbol()) } catch (error) { return error } })()",
];

test("A JavaScript function reaches no object of the host through constructors", async (context) => {
  for (const value of REACHABLE) {
    await context.test(value, async () => {
      const source = `(subject, payload) => {
        const found = [];
        const value = ${value};
        for (let object = value; object !== null && object !== undefined; object = Object.getPrototypeOf(Object(object))) {
          const make = object.constructor?.constructor;
          if (typeof make !== 'function') continue;
          found.push(make('return typeof process + typeof require + typeof module + typeof Buffer')());
          found.push(make('return globalThis')() === globalThis);
          if (make !== Function) found.push('another realm');
        }
        return found.filter((item) => item !== true && item !== 'undefined'.repeat(4));
      }`;
      assert.equal(await answer(source), "[]");
    });
  }
});

test("A JavaScript function has only the language's globals and its own", async () => {
  const source = `() => Object.getOwnPropertyNames(globalThis).filter((name) =>
    !/^(Object|Function|Array|Number|parse\\w+|Infinity|NaN|undefined|Boolean|String|Symbol|Date|Promise|RegExp|Error|\\w+Error|globalThis|JSON|Math|Intl|ArrayBuffer|\\w+Array|DataView|Map|BigInt|Set|Iterator|WeakMap|WeakSet|WeakRef|Proxy|Reflect|(de|en)codeURI(Component)?|(un)?escape|eval|is(Finite|NaN)|(Async)?DisposableStack|console|env|hostServices|DOMException|Text(En|De)coder|atob|btoa|URL(SearchParams)?|structuredClone|crypto|(set|clear)(Timeout|Interval)|queueMicrotask|performance|Headers|Request|Response|fetch)$/.test(name))`;
  assert.equal(await answer(source), "[]");
  const removed =
    "() => [typeof WebAssembly, typeof SharedArrayBuffer, typeof Atomics, typeof FinalizationRegistry]";
  assert.equal(await answer(removed), JSON.stringify(["undefined", "undefined", "undefined", "undefined"]));
});

test("A JavaScript function can't replace what it was given", async () => {
  const source = `() => {
    const attempts = [
      () => { 'use strict'; hostServices.kv.get = 1 },
      () => { 'use strict'; globalThis.hostServices = 1 },
      () => { 'use strict'; delete globalThis.env },
      () => Object.defineProperty(globalThis, 'hostServices', { value: 1 }),
    ];
    return attempts.map((attempt) => { try { attempt(); return 'done' } catch (error) { return error.name } });
  }`;
  assert.equal(await answer(source), '["TypeError","TypeError","TypeError","TypeError"]');
});

test("A JavaScript function sees no frame, receiver or function of the host in stack traces", async () => {
  const source = `() => {
    const seen = [];
    Error.prepareStackTrace = (error, sites) => {
      for (const site of sites) {
        const self = site.getThis();
        const ours = String(site.getFileName()).startsWith('nex:') || typeof self?.applySync === 'function';
        if (self !== undefined && self !== globalThis && ours) seen.push('receiver ' + String(site));
        const own = site.getFunction();
        if (own !== undefined && String(site.getFileName()).startsWith('nex:')) seen.push('function ' + String(site));
        if (/node:|\\/src\\/|node_modules|\\.ts|\\.m?js/.test(String(site))) seen.push('frame ' + String(site));
      }
      return 'trace';
    };
    const values = [Symbol(), () => 1, { get a() { void new Error().stack } }, 5];
    for (const value of values) {
      try { hostServices.kv.set('k', value) } catch (error) { void error.stack; seen.push(...Object.keys(error)) }
      try { hostServices.kv.get(value) } catch (error) { void error.stack }
    }
    console.log({ toString() { void new Error().stack } });
    JSON.stringify({ toJSON() { void new Error().stack } });
    return seen;
  }`;
  assert.equal(await answer(source), "[]");
});

test("Errors of host services carry nothing of the host but their text", async () => {
  const hostServices = recordingHostServices(() => {
    throw Object.assign(new Error("broken inside"), { secret: process.pid });
  });
  const source = `() => { try { hostServices.kv.get('x') } catch (error) {
    return [String(error), Object.keys(error), error instanceof Error, /\\/src\\/|node:|\\.ts:/.test(error.stack)];
  } }`;
  assert.deepEqual(JSON.parse(await answer(source, { hostServices })), [
    "Error: broken inside",
    [],
    true,
    false,
  ]);
});

test("Prototype pollution does not reach the options of calls into the host", async () => {
  const hostServices = recordingHostServices(() => ({ body: Buffer.from("value") }));
  const source = `() => {
    let seen = '';
    for (const name of ['result', 'reference', 'externalCopy', 'copy', 'promise', 'arguments', 'timeout', 'then']) {
      Object.defineProperty(Object.prototype, name, {
        configurable: true,
        get() { if (typeof this?.applySync === 'function') seen += name; return name === 'then' ? undefined : true },
      });
    }
    for (const index of [0, 1, 2, 3]) Object.defineProperty(Array.prototype, index, { configurable: true, set() { seen += 'array' } });
    Array.prototype[Symbol.iterator] = function* () { for (const key in this) if (typeof this[key]?.applySync === 'function') seen += 'iterated' };
    for (const name in { apply: 1, call: 1, bind: 1 }) Function.prototype[name] = () => { seen += name };
    const value = hostServices.kv.get('key');
    console.log('logged');
    let text = '';
    for (let i = 0; i < value.length; i++) text += String.fromCharCode(value[i]);
    return text + seen;
  }`;
  assert.equal(await answer(source, { hostServices }), '"value"');
  assert.deepEqual(
    hostServices.calls.map(({ headers }) => headers),
    [{ "x-keyvalue-key": "key" }],
  );
});

test("A JavaScript function that breaks built-ins breaks only itself", async () => {
  await using loaded = await loadTestFunction({
    source: `(subject, payload) => {
      JSON.stringify = () => 'forged'; Promise.prototype.then = () => 'forged'; Reflect.apply = () => 'forged';
      payload.constructor.prototype.slice = () => 'forged'; globalThis.Uint8Array = undefined;
      Object.defineProperty(Object.getPrototypeOf(payload.constructor.prototype), 'buffer', { configurable: true, get: () => ({}) });
      return subject === 'bytes' ? payload : { fine: true };
    }`,
  });
  for (let round = 0; round < 2; round++) {
    assert.equal(bodyText(await loaded.invoke("bytes", Buffer.from("heya"))), "heya");
    assert.equal(bodyText(await loaded.invoke("json", Buffer.from("heya"))), '{"fine":true}');
  }
});

test("A JavaScript function can't import modules", async () => {
  const source = `async () => { try { await import('node:fs'); return 'imported' } catch (error) { return 'refused' } }`;
  assert.equal(await answer(source), '"refused"');
});
