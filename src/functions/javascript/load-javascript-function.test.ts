import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answer,
  bodyOf,
  bodyText,
  failureOf,
  loadTestFunction,
  run,
} from "../../../test/support/function-kit.ts";
import { until } from "../../../test/support/until.ts";

const NONE = new Uint8Array(0);

test("A JavaScript function echoes bytes unchanged", async () => {
  await using echo = await loadTestFunction({ source: "(subject, payload) => payload" });
  const every = Uint8Array.from({ length: 256 }, (_, value) => value);
  assert.deepEqual(bodyOf(await echo.invoke("js.echo", every)), every);
  const mebibyte = Buffer.alloc(1024 * 1024, every);
  assert.ok(mebibyte.equals(bodyOf(await echo.invoke("js.echo", mebibyte))));
  assert.equal(bodyOf(await echo.invoke("js.echo", NONE)).length, 0);
});

test("A JavaScript function gets its payload alone, in its own realm", async () => {
  await using loaded = await loadTestFunction({
    source: `(subject, payload) => [
      subject, payload.buffer.byteLength, payload instanceof Uint8Array, payload.constructor.name, payload.join()]`,
  });
  const larger = Buffer.from("secret:heya:secret");
  const outcome = await loaded.invoke("js.echo", larger.subarray(7, 11));
  assert.deepEqual(JSON.parse(bodyText(outcome)), ["js.echo", 4, true, "Uint8Array", "104,101,121,97"]);
});

test("A JavaScript function's result has a buffer of its own", async () => {
  for (const result of [
    "new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3)",
    "'heya'",
    "new Uint8Array(2).buffer",
  ]) {
    const body = bodyOf(await run(`() => ${result}`));
    assert.equal(body.byteLength, body.buffer.byteLength, result);
  }
});

test("A JavaScript function's result becomes bytes", async (context) => {
  const cases: readonly (readonly [result: string, body: string])[] = [
    ["undefined", ""],
    ["null", "null"],
    ["'heya'", '"heya"'],
    ["1.5", "1.5"],
    ["true", "true"],
    ["{ seen: [1, 'ü'] }", '{"seen":[1,"ü"]}'],
    ["new Date(0)", '"1970-01-01T00:00:00.000Z"'],
    ["new Uint16Array([1, 2])", '{"0":1,"1":2}'],
    ["new Uint8Array([104, 105])", "hi"],
    ["new Uint8Array([104, 105, 106]).subarray(0, 2)", "hi"],
    ["new Uint8Array([104, 105]).buffer", "hi"],
    ["new (class Bytes extends Uint8Array {})([104, 105])", "hi"],
    ["Object.assign(new ArrayBuffer(8, { maxByteLength: 16 }))", "\0".repeat(8)],
    ["Promise.resolve(new Uint8Array([104, 105]))", "hi"],
    ["{ then: (resolve) => resolve(5) }", "5"],
  ];
  for (const [result, body] of cases) {
    await context.test(result, async () => {
      assert.equal(await answer(`() => (${result})`), body);
    });
  }
});

test("A JavaScript function's result that cannot be serialised fails the invocation", async (context) => {
  const cases = {
    "1n": /^result cannot be serialized: TypeError: Do not know how to serialize a BigInt$/,
    "(() => { const a = {}; a.a = a; return a })()": /circular structure/,
    "() => 1": /^result cannot be serialized: it is a function$/,
    "Symbol()": /^result cannot be serialized: it is a symbol$/,
    "{ toJSON() { return undefined } }": /^result cannot be serialized: it has no JSON text$/,
    "{ toJSON() { throw new Error('mine') } }": /Error: mine/,
    "Promise.resolve(1n)": /BigInt/,
  };
  for (const [result, expected] of Object.entries(cases)) {
    await context.test(result, async () => {
      const [failure, message] = failureOf(await run(`() => (${result})`));
      assert.equal(failure, "unserializable-result");
      assert.match(message, expected);
    });
  }
});

test("A JavaScript function that throws fails with one line that names cause and place", async (context) => {
  const cases: readonly (readonly [source: string, message: string])[] = [
    ["() => { throw new TypeError('bad') }", "TypeError: bad (echojs:1:15)"],
    ["() => {\n  null.x }", "TypeError: Cannot read properties of null (reading 'x') (echojs:2:8)"],
    ["async () => { await 1; throw new Error('late') }", "Error: late (echojs:1:30)"],
    ["() => { throw 'plain' }", "plain"],
    ["() => { throw { code: 5 } }", "{ code: 5 }"],
    ["() => { throw undefined }", "undefined"],
    ["() => { throw { get stack() { throw 1 } } }", "{ stack: [Getter] }"],
    [
      "() => { throw new Proxy({}, { ownKeys() { throw 1 } }) }",
      "the function threw a value that cannot be shown",
    ],
    ["() => { throw new (class Mine extends Error { name = 'Mine' })('x') }", "Mine: x (echojs:1:15)"],
  ];
  for (const [source, message] of cases) {
    await context.test(source, async () => {
      assert.deepEqual(failureOf(await run(source)), ["exception", message]);
    });
  }
});

test("A JavaScript function works after a failed invocation", async () => {
  await using loaded = await loadTestFunction({
    source: "(subject) => { if (subject === 'bad') throw new Error('no'); return 'fine' }",
  });
  assert.equal((await loaded.invoke("bad", NONE)).kind, "failed");
  assert.equal(bodyText(await loaded.invoke("good", NONE)), '"fine"');
});

test("A JavaScript script's last value is the function", async (context) => {
  const sources = [
    "(subject, payload) => payload",
    "(subject, payload) => {\n  return payload;\n};\n",
    "(function (subject, payload) { return payload })",
    "function (subject, payload) { return payload }",
    "function (subject, payload) { return payload };",
    "// an echo\nasync function (subject, payload) { return payload } // end",
    "const echo = (subject, payload) => payload; echo",
    "'use strict'; (subject, payload) => payload",
    "\ufeff(subject, payload) => payload",
  ];
  for (const source of sources) {
    await context.test(source, async () => {
      await using loaded = await loadTestFunction({ source });
      assert.equal(bodyText(await loaded.invoke("js.echo", Buffer.from("heya"))), "heya");
    });
  }
});

test("A JavaScript script whose last value is no function fails the invocation", async (context) => {
  for (const [source, type] of Object.entries({ "5": "number", "": "undefined", "({})": "object" })) {
    await context.test(`"${source}"`, async () => {
      const message = `the script's last value is not a function but ${type}`;
      assert.deepEqual(failureOf(await run(source)), ["not-a-function", message]);
    });
  }
  await context.test("a script that throws", async () => {
    assert.deepEqual(failureOf(await run("throw new Error('top')")), [
      "exception",
      "Error: top (echojs:1:7)",
    ]);
  });
});

test("A JavaScript source that is refused says why", async (context) => {
  const refuse = async (source: string | Uint8Array, message: string): Promise<void> => {
    await assert.rejects(loadTestFunction({ source }), { code: "FUNCTION_INVALID", message });
  };
  await context.test("syntax error", async () => {
    await refuse(
      "(s, p) => ) {",
      "failed to compile source for execution: Unexpected token ')' [echojs:1:11]",
    );
  });
  await context.test("size", async () => {
    await refuse("x".repeat(5_242_881), "source file (5242881 bytes) exceeds maximum of 5242880 bytes");
  });
  await context.test("a size of one's own", async () => {
    const message = "source file (9 bytes) exceeds maximum of 8 bytes";
    const limits = { maxSourceBytes: 8 };
    await assert.rejects(loadTestFunction({ source: "() => 'ab'".slice(0, 9), limits }), {
      code: "FUNCTION_INVALID",
      message,
    });
    assert.equal(await answer("() => 15", { limits }), "15");
  });
  await context.test("not UTF-8", async () => {
    await refuse(Uint8Array.of(0xff), "failed to compile source for execution: it is not UTF-8 text");
  });
  await context.test("5 MiB are fine", async () => {
    assert.equal(await answer(`() => 1${" ".repeat(5_242_873)}`), "1");
  });
});

test("A JavaScript function's this is the global object", async () => {
  const source = "(function () { return [this === globalThis, typeof this.hostServices, typeof this.env] })";
  assert.equal(await answer(source), '[true,"object","object"]');
  assert.equal(await answer("() => this === globalThis"), "true");
  assert.equal(await answer("'use strict'; (function () { return this === globalThis })"), "true");
});

test("A JavaScript function sees its environment as a frozen object", async () => {
  const environment = { NATS_URL: "nats://localhost", __proto__x: "1", constructor: "own" };
  const source = `() => {
    try { env.NATS_URL = 'changed' } catch {}
    try { env = {} } catch {}
    delete env.NATS_URL;
    return [env, Object.isFrozen(env), env.toString];
  }`;
  assert.deepEqual(JSON.parse(await answer(source, { environment })), [environment, true, null]);
});

test("A JavaScript context keeps its state between invocations", async () => {
  await using counter = await loadTestFunction({ source: "let count = 0; () => ++count" });
  assert.equal(bodyText(await counter.invoke("a", NONE)), "1");
  assert.equal(bodyText(await counter.invoke("a", NONE)), "2");
});

test("A JavaScript function runs one invocation at a time, in order", async () => {
  await using loaded = await loadTestFunction({
    source: `const order = [];
      async (subject) => {
        order.push('+' + subject);
        for (let i = 0; i < 100; i++) await null;
        order.push('-' + subject);
        return order.join(' ');
      }`,
  });
  const subjects = ["a", "b", "c", "d"];
  const outcomes = await Promise.all(subjects.map(async (subject) => loaded.invoke(subject, NONE)));
  assert.equal(bodyText(outcomes.at(-1) ?? assert.fail()), '"+a -a +b -b +c -c +d -d"');
});

test("A JavaScript function's runtime is counted in nanoseconds", async () => {
  const { runtimeNs } = await run("() => { const end = Date.now() + 20; while (Date.now() < end); }");
  assert.ok(Number.isInteger(runtimeNs) && runtimeNs >= 19e6, String(runtimeNs));
});

test("A JavaScript function's console goes to the log with its levels, in order", async () => {
  await using loaded = await loadTestFunction({
    source: `(subject) => {
      console.log(subject, { a: [1, 'x'] }, null);
      console.info('%s is %d%%', 'it', 5);
      console.debug('d'); console.warn('w'); console.error(new RangeError('e').message);
      console.assert(1 === 2, 'sum'); console.group('g'); console.log('in\\nside'); console.groupEnd();
      console.timeStamp(); console.clear();
      for (let i = 0; i < 1000; i++) console.log('line ' + i);
      console.log('x'.repeat(10000));
    }`,
  });
  await loaded.invoke("js.echo", NONE);
  await until(() => loaded.lines.length === 1009);
  assert.deepEqual(loaded.lines.slice(0, 8), [
    ["info", 'js.echo { a: [ 1, "x" ] } null'],
    ["info", "it is 5%"],
    ["debug", "d"],
    ["warn", "w"],
    ["error", "e"],
    ["error", "Assertion failed sum"],
    ["info", "g"],
    ["info", "  in\n  side"],
  ]);
  assert.deepEqual(
    loaded.lines.slice(8, 1008).map(([, text]) => text),
    Array.from({ length: 1000 }, (_, index) => `line ${index}`),
  );
  assert.equal(loaded.lines.at(-1)?.[1], `${"x".repeat(8192)}... 1808 more characters`);
});

test("A JavaScript function's endless output is cut off, anew for each invocation", async () => {
  await using loaded = await loadTestFunction({
    source: "(subject) => { for (let i = 0; i < 12000; i++) console.log(i) }",
  });
  await loaded.invoke("a", NONE);
  await until(() => loaded.lines.length === 10_001);
  assert.equal(loaded.lines.at(-1)?.[1], "[further output of this invocation is dropped]");
  await loaded.invoke("a", NONE);
  await until(() => loaded.lines.length === 20_002);
});

test("A stopped JavaScript function answers everything that waits", async () => {
  const loaded = await loadTestFunction({ source: "() => new Promise(() => {})" });
  const outcomes = [loaded.invoke("a", NONE), loaded.invoke("b", NONE)];
  await loaded[Symbol.asyncDispose]();
  await loaded[Symbol.asyncDispose]();
  outcomes.push(loaded.invoke("c", NONE));
  for (const outcome of outcomes) {
    assert.deepEqual(failureOf(await outcome), ["exception", "function has been stopped"]);
  }
});
