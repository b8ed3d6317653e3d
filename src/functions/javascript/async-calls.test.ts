// Promises of a function: asynchronous host services and timers, within one invocation.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answer,
  bodyText,
  failureOf,
  loadTestFunction,
  recordingHostServices,
  run,
} from "../../../test/support/function-kit.ts";
import type { HostServiceResult } from "../../host-services/guest/host-services.ts";
import { until } from "../../../test/support/until.ts";

const NONE = new Uint8Array(0);

const json = (value: unknown): Partial<HostServiceResult> => ({ body: Buffer.from(JSON.stringify(value)) });

/** Answers a kv.get only when so many are under way at once. */
function gatedHostServices(together: number): ReturnType<typeof recordingHostServices> {
  let waiting: (() => void)[] = [];
  return recordingHostServices(async ({ headers }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    if (waiting.length === together) {
      for (const release of waiting) release();
      waiting = [];
    }
    await promise;
    return { body: Buffer.from(headers["x-keyvalue-key"] ?? "") };
  });
}

const TEXT = "const text = (bytes) => String.fromCharCode(...bytes);";

test("hostServices.async makes calls at once, on either thread", async () => {
  const body = `const keys = ['a', 'b', 'c', 'd'];
    const values = await Promise.all(keys.map((key) => hostServices.async.kv.get(key)));
    return values.map(text)`;
  const calls = (): ReturnType<typeof recordingHostServices> => gatedHostServices(4);
  assert.equal(
    await answer(`${TEXT} async () => { ${body} }`, { hostServices: calls() }),
    '["a","b","c","d"]',
  );
  const mixed = `${TEXT} async () => { void hostServices; ${body} }`;
  assert.equal(await answer(mixed, { hostServices: calls() }), '["a","b","c","d"]');
});

test("hostServices.async gives what the synchronous calls give", async () => {
  const hostServices = recordingHostServices(({ service, method, headers, body }) => {
    if (headers["x-keyvalue-key"] === "none") return { code: 404, message: "key not found: none" };
    switch (`${service}.${method}`) {
      case "kv.get":
      case "objectstore.get":
      case "messaging.request":
        return { body: Buffer.from("bytes") };
      case "kv.keys":
        return json(["k"]);
      case "objectstore.put":
        return json({ name: "n", size: body.length });
      case "objectstore.list":
        return json([{ name: "n" }]);
      case "messaging.requestMany":
        return json([Buffer.from("one").toString("base64")]);
      case "kv.set":
      case "kv.delete":
      case "objectstore.delete":
      case "messaging.publish":
        return json({ success: true });
      default:
        return json({
          status: 200,
          headers: { A: ["1", "2"] },
          body: `${method} ${Buffer.from(body).toString()}`,
        });
    }
  });
  const calls = [
    ...["get('k')", "get('none')", "get()", "set('k', 'v')", "set('k', 5)", "delete('k')", "keys()"].map(
      (c) => `kv.${c}`,
    ),
    ...["get('n')", "put('n', 'value')", "put('n')", "delete('n')", "list()"].map((c) => `objectStore.${c}`),
    ...["publish('s', 'p')", "request('s', 'p')", "requestMany('s', 'p')", "publish('s')"].map(
      (c) => `messaging.${c}`,
    ),
    ...["get('http://h')", "post('http://h', 'b')", "put('http://h', 'b')", "patch('http://h', 'b')"].map(
      (c) => `http.${c}`,
    ),
    ...["del('http://h')", "delete('http://h')", "head('http://h')", "get()", "get('nowhere')"].map(
      (c) => `http.${c}`,
    ),
  ];
  const source = `async () => {
    const shown = (value) => value instanceof Error ? [String(value), value] : value instanceof Uint8Array ? ['bytes', ...value] : value;
    const both = [];
    ${calls
      .map(
        (call) => `{
          let sync, later; try { sync = hostServices.${call} } catch (error) { sync = error }
          const promise = hostServices.async.${call}; const isPromise = promise instanceof Promise;
          try { later = await promise } catch (error) { later = error }
          both.push([isPromise, shown(sync), shown(later)]);
        }`,
      )
      .join("\n")}
    return both;
  }`;
  const both = JSON.parse(await answer(source, { hostServices })) as [boolean, unknown, unknown][];
  assert.equal(both.length, calls.length);
  both.forEach(([isPromise, sync, later], index) => {
    assert.equal(isPromise, true, calls[index]);
    assert.deepEqual(later, sync, calls[index]);
  });
});

test("hostServices.async keeps a bounded number of calls under way and makes them all", async () => {
  let most = 0;
  let now = 0;
  const hostServices = recordingHostServices(async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    return { body: Buffer.from("v") };
  });
  const source =
    "async () => (await Promise.all(Array.from({ length: 2000 }, () => hostServices.async.kv.get('k')))).length";
  assert.equal(await answer(source, { hostServices }), "2000");
  assert.equal(hostServices.calls.length, 2000);
  assert.ok(most <= 256 && most > 1, String(most));
});

test("hostServices.async takes a mebibyte both ways", async () => {
  const hostServices = recordingHostServices(({ method }) =>
    method === "set" ? json({ success: true }) : { body: new Uint8Array(1048576).fill(7) },
  );
  const source = `async () => { await hostServices.async.kv.set('k', new Uint8Array(1048576)); const got = await hostServices.async.kv.get('k');
    return [got.length, got.buffer.byteLength, got[1048575]] }`;
  assert.equal(await answer(source, { hostServices }), "[1048576,1048576,7]");
  assert.equal(hostServices.calls[0]?.body.length, 1048576);
});

test("Calls in flight when an invocation ends are abandoned, and the next one is undisturbed", async () => {
  const answers: ((result: Partial<HostServiceResult>) => void)[] = [];
  const hostServices = recordingHostServices(
    async ({ headers }) =>
      new Promise((resolve) => {
        if (headers["x-keyvalue-key"] === "slow") answers.push(resolve);
        else resolve({ body: Buffer.from("quick") });
      }),
  );
  for (const first of ["", "void hostServices;"]) {
    await using loaded = await loadTestFunction({
      hostServices,
      source: `${TEXT} const late = []; async (subject) => { ${first}
        if (subject === 'leave') { hostServices.async.kv.get('slow').then(() => late.push('late')); setTimeout(() => late.push('timer'), 1); return 'left' }
        const value = text(await hostServices.async.kv.get('key'));
        await new Promise((resolve) => setTimeout(resolve, 5));
        return [value, late];
      }`,
    });
    assert.equal(bodyText(await loaded.invoke("leave", NONE)), '"left"');
    await until(() => answers.length === 1);
    const next = loaded.invoke("next", NONE);
    for (const resolve of answers.splice(0)) resolve({ body: Buffer.from("late") });
    assert.equal(bodyText(await next), '["quick",[]]');
    assert.equal(bodyText(await loaded.invoke("next", NONE)), '["quick",[]]');
  }
});

test("A publication that nobody waits for is sent", async () => {
  const hostServices = recordingHostServices(() => json({ success: true }));
  assert.equal(
    await answer("() => { hostServices.async.messaging.publish('s', 'p'); return 1 }", { hostServices }),
    "1",
  );
  await until(() => hostServices.calls.length === 1);
});

test("A deadline ends asynchronous calls, timers and loops after them, and the next invocation works", async (context) => {
  const hostServices = recordingHostServices(async ({ headers }) =>
    headers["x-keyvalue-key"] === "never" ? new Promise(() => {}) : { body: Buffer.from("v") },
  );
  const bodies = {
    "a call that is never answered": "await hostServices.async.kv.get('never')",
    "a loop after a call": "await hostServices.async.kv.get('k'); for (;;);",
    "a loop after a timer": "await new Promise((resolve) => setTimeout(resolve, 1)); for (;;);",
    "a loop in a timer": "await new Promise(() => setTimeout(() => { for (;;); }, 1))",
    "a timer that comes too late": "await new Promise((resolve) => setTimeout(resolve, 100000))",
    "an interval that never stops": "setInterval(() => {}, 0); await new Promise(() => {})",
    "calls without end": "for (;;) await hostServices.async.kv.get('k')",
    "calls without waiting":
      "for (let i = 0; ; i++) { if (i < 20000) hostServices.async.kv.get('k'); await null }",
    "microtasks without end": "const spin = () => queueMicrotask(spin); spin(); await new Promise(() => {})",
  };
  for (const [title, body] of Object.entries(bodies)) {
    for (const first of ["", "void hostServices;"]) {
      await context.test(`${title}${first === "" ? "" : ", on a thread of its own"}`, async () => {
        await using loaded = await loadTestFunction({
          hostServices,
          limits: { timeoutMs: 200 },
          source: `async (subject) => { ${first} if (subject === 'fine') { await hostServices.async.kv.get('k'); return 'fine' } ${body} }`,
        });
        for (const subject of ["harm", "fine", "harm", "fine"]) {
          const outcome = await loaded.invoke(subject, NONE);
          if (subject === "fine") assert.equal(bodyText(outcome), '"fine"');
          else assert.deepEqual(failureOf(outcome), ["timeout", "v8 execution timed out after 200ms"]);
        }
      });
    }
  }
});

test("Timers run in order, with their arguments, and stop when told to", async () => {
  const source = `async () => {
    const seen = [];
    setTimeout((...values) => seen.push(values), 4, 'late', 1); setTimeout(() => seen.push('first'));
    const stopped = setTimeout(() => seen.push('never'), 2); clearTimeout(stopped); clearTimeout('x'); clearInterval(undefined);
    setTimeout(() => { seen.push('a'); Promise.resolve().then(() => seen.push('a then')) }, 2); setTimeout(() => seen.push('b'), 2);
    queueMicrotask(() => seen.push('micro')); seen.push('sync');
    await new Promise((resolve) => { let count = 0; const id = setInterval(() => { if (++count === 3) { clearInterval(id); resolve() } }, 3) });
    return [seen, typeof stopped, performance.now() >= 8, performance.timeOrigin > 0];
  }`;
  const expected = [["sync", "micro", "first", "a", "a then", "b", ["late", 1]], "number", true, true];
  assert.deepEqual(JSON.parse(await answer(source)), expected);
});

test("A callback that throws fails the invocation with its place", async () => {
  for (const start of ["setTimeout(fail, 1)", "setInterval(fail, 1)", "queueMicrotask(fail)"]) {
    for (const first of ["", "void hostServices;"]) {
      const source = `async () => { ${first} const fail = () => { throw new RangeError('late') }; ${start}; await new Promise(() => {}) }`;
      const [failure, message] = failureOf(await run(source));
      assert.equal(failure, "exception");
      assert.match(message, /^RangeError: late \(echojs:1:\d+\)$/);
    }
  }
  await assert.doesNotReject(run("() => { setTimeout(() => { throw 1 }, 0); return 1 }"));
});

test("A rejected promise that nobody handles fails the invocation, and the context stays", async () => {
  for (const first of ["", "void hostServices;"]) {
    await using loaded = await loadTestFunction({
      source: `let count = 0; async (subject) => { ${first} count += 1;
        if (subject === 'at once') Promise.reject(new TypeError('no'));
        if (subject === 'later') { hostServices.async.kv.get('x'); await new Promise(() => {}) }
        if (subject === 'plain') Promise.reject('text');
        if (subject === 'handled') { const late = Promise.reject(1); await null; late.catch(() => {}) }
        await null; return count }`,
    });
    const failures = {
      "at once": /^TypeError: no \(echojs:2:\d+\)$/,
      later: /^Error: No such host service: kv \(404\)/,
      plain: /^text$/,
    };
    for (const [subject, message] of Object.entries(failures)) {
      const [failure, text] = failureOf(await loaded.invoke(subject, NONE));
      assert.equal(failure, "exception");
      assert.match(text, message);
    }
    assert.equal(bodyText(await loaded.invoke("handled", NONE)), "4");
  }
});

test("Timers are refused what they can't do", async () => {
  const source = `() => [() => setTimeout('code'), () => queueMicrotask(5), () => { for (let i = 0; i < 10001; i++) setTimeout(() => {}, 1000) }].map((f) => {
    try { f(); return 'fine' } catch (error) { return error.name } })`;
  assert.equal(await answer(source), '["TypeError","TypeError","RangeError"]');
});

test("Sleeping functions let the process do other things", async () => {
  await using loaded = await loadTestFunction({
    source: "async () => { await new Promise((resolve) => setTimeout(resolve, 50)); return 'slept' }",
  });
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 1);
  assert.equal(bodyText(await loaded.invoke("a", NONE)), '"slept"');
  clearInterval(ticking);
  assert.ok(turns > 3, String(turns));
});

test("http answers have their bytes beside the result's JSON", async () => {
  const hostServices = recordingHostServices(({ headers }) => {
    const binary = headers["x-http-url"]?.endsWith("/b") === true ? { body_base64: "AP+A" } : {};
    return json({ status: 200, body: "hé", ...binary });
  });
  const source = `async () => {
    const { http } = hostServices; const [text, binary] = [http.get('http://h/t'), http.get('http://h/b')]; const later = await hostServices.async.http.get('http://h/b');
    const { bytes } = text;
    return [text, Array.from(bytes), bytes === text.bytes, Array.from(binary.bytes), Array.from(later.bytes), binary.bytes instanceof Uint8Array];
  }`;
  assert.deepEqual(JSON.parse(await answer(source, { hostServices })), [
    { status: 200, headers: {}, response: "hé" },
    [104, 195, 169],
    true,
    [0, 255, 128],
    [0, 255, 128],
    true,
  ]);
});
