// What a function sees of the host services (protocol.md 7.4), through a real isolate and a host that lives in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, recordingHostServices } from "../../../test/support/function-kit.ts";
import type { HostServiceResult } from "../../host-services/guest/host-services.ts";

/** A kv and an object store that work, an echo for messages and requests. */
function memoryHostServices(): ReturnType<typeof recordingHostServices> {
  const stored = new Map<string, Uint8Array>();
  const json = (value: unknown): Partial<HostServiceResult> => ({ body: Buffer.from(JSON.stringify(value)) });
  return recordingHostServices(({ service, method, headers, body }) => {
    const key = headers["x-keyvalue-key"] ?? headers["x-object-name"] ?? "";
    switch (`${service}.${method}`) {
      case "kv.set":
      case "objectstore.put":
        stored.set(key, body);
        return json(service === "kv" ? { revision: 1, success: true } : { name: key, size: body.length });
      case "kv.get":
      case "objectstore.get": {
        const value = stored.get(key);
        return value === undefined ? { code: 404, message: `key not found: ${key}` } : { body: value };
      }
      case "kv.delete":
      case "objectstore.delete":
        return json({ success: stored.delete(key) });
      case "kv.keys":
        return json([...stored.keys()]);
      case "objectstore.list":
        return json([...stored].map(([name, { length }]) => ({ name, size: length })));
      case "messaging.publish":
        return json({ success: true });
      case "messaging.request":
        return { body };
      case "messaging.requestMany":
        return json([Buffer.from("one").toString("base64"), Buffer.from(body).toString("base64")]);
      default: {
        const echo = `${method} ${headers["x-http-url"]} ${Buffer.from(body).toString()}`;
        const list = { "Content-Type": ["text/plain"], "Set-Cookie": ["a=1", "b=2"] };
        return json(method === "head" ? { status: 204 } : { status: 200, headers: list, body: echo });
      }
    }
  });
}

const TEXT = "const text = (bytes) => String.fromCharCode(...bytes);";

test("hostServices.kv sets, gets, lists and deletes", async () => {
  const source = `${TEXT} (function () {
    const { kv } = this.hostServices;
    const results = [kv.set('hello', new Uint8Array([0, 128, 255])), kv.set('text', 'ü')];
    results.push(Array.from(kv.get('hello')), kv.get('text').length, kv.get('text') instanceof Uint8Array, kv.keys());
    results.push(kv.delete('hello'), kv.keys());
    return results;
  })`;
  assert.deepEqual(JSON.parse(await answer(source, { hostServices: memoryHostServices() })), [
    null,
    null,
    [0, 128, 255],
    2,
    true,
    ["hello", "text"],
    null,
    ["text"],
  ]);
});

test("hostServices.objectStore puts, gets, lists and deletes", async () => {
  const source = `${TEXT} () => {
    const { objectStore } = hostServices;
    const results = [objectStore.put('hello', 'bytes'), text(objectStore.get('hello')), objectStore.list()];
    results.push(objectStore.delete('hello'), objectStore.list());
    return results;
  }`;
  const info = { name: "hello", size: 5 };
  const results: unknown = JSON.parse(await answer(source, { hostServices: memoryHostServices() }));
  assert.deepEqual(results, [info, "bytes", [info], null, []]);
});

test("hostServices.messaging publishes and requests", async () => {
  const source = `${TEXT} (subject, payload) => {
    const { messaging } = hostServices;
    return [
      messaging.publish('hello.world', payload) === undefined,
      text(messaging.request('hello.world.request', 'ping')),
      messaging.requestMany('hello.world.request.many', 'two').map((bytes) => text(bytes)),
    ];
  }`;
  const hostServices = memoryHostServices();
  assert.deepEqual(JSON.parse(await answer(source, { hostServices })), [true, "ping", ["one", "two"]]);
  assert.deepEqual(hostServices.calls[0]?.headers, { "x-subject": "hello.world" });
});

test("hostServices.http answers status, headers and response", async () => {
  const source = `() => {
    const { http } = this.hostServices;
    return [
      http.get('http://a/?q=1'), http.post('http://a/', 'body').response, http.put('http://a/', 'x').response,
      http.patch('http://a/', 'x').response, http.del('http://a/').response, http.delete('http://a/', 'x').response,
      http.head('http://a/'),
    ];
  }`;
  assert.deepEqual(JSON.parse(await answer(source, { hostServices: memoryHostServices() })), [
    {
      status: 200,
      headers: { "Content-Type": "text/plain", "Set-Cookie": "a=1, b=2" },
      response: "get http://a/?q=1 ",
    },
    "post http://a/ body",
    "put http://a/ x",
    "patch http://a/ x",
    "delete http://a/ ",
    "delete http://a/ x",
    { status: 204, headers: {}, response: "" },
  ]);
});

test("hostServices throws errors with the texts that functions know", async (context) => {
  const cases = {
    "kv.get()": "key is required",
    "kv.get('a', 'b')": "key is required",
    "kv.set('a')": "key and value are required",
    "kv.delete()": "key is required",
    "objectStore.get()": "name is required",
    "objectStore.put('a')": "name and value are required",
    "messaging.publish('a')": "subject and payload are required",
    "messaging.requestMany('a')": "subject and payload are required",
    "http.get()": "url is required",
    "http.get('nowhere')": 'parse "nowhere": invalid URL',
    "kv.set('a', { b: 1 })":
      "failed to marshal v8 value to []byte: [object Object]; only Uint8[] is supported",
    "kv.set('a', 5)": "failed to marshal v8 value to []byte: 5; only Uint8[] is supported",
    "kv.get('none')": "Error: key not found: none (404)",
  };
  for (const [call, text] of Object.entries(cases)) {
    await context.test(call, async () => {
      const source = `() => { try { hostServices.${call} } catch (error) {
        return [String(error), error, error instanceof Error] } }`;
      const [shown, json, isError] = JSON.parse(
        await answer(source, { hostServices: memoryHostServices() }),
      ) as string[];
      assert.ok(shown?.includes(text), shown);
      assert.equal(json, text);
      assert.equal(isError, true);
    });
  }
});

test("hostServices says so when the node offers none", async () => {
  const source = "() => { try { hostServices.kv.get('x') } catch (error) { return error } }";
  assert.equal(await answer(source), '"Error: No such host service: kv (404)"');
});

test("hostServices sends exactly the bytes of a view", async () => {
  const hostServices = memoryHostServices();
  await answer("() => hostServices.kv.set('k', new Uint8Array([1, 2, 3, 4]).subarray(1, 3))", {
    hostServices,
  });
  assert.deepEqual([...(hostServices.calls[0]?.body ?? [])], [2, 3]);
});

test("hostServices passes a mebibyte both ways", async () => {
  const source =
    "(subject, payload) => { hostServices.kv.set('big', new Uint8Array(1048576).fill(7)); return hostServices.kv.get('big').length }";
  assert.equal(await answer(source, { hostServices: memoryHostServices() }), "1048576");
});

test("hostServices refuses a function whose source hides that it calls them, and says so", async () => {
  const hostServices = memoryHostServices();
  const source =
    "() => { try { globalThis['host' + 'Services'].kv.get('x') } catch (error) { return String(error) } }";
  assert.match(await answer(source, { hostServices }), /for functions whose source says hostServices/);
  assert.deepEqual(hostServices.calls, []);
});
