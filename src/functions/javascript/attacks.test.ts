// The published classes of attacks against JavaScript sandboxes. Each tries to get at an object that is not of the
// function's own realm, to run code with it, and to read or reach three canaries of the host: a file with a secret, an
// environment variable, a listener on the loopback interface.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadTestFunction, recordingHostServices } from "../../../test/support/function-kit.ts";
import type { HostServices } from "../../host-services/guest/host-services.ts";

const SECRET = `canary-${randomUUID()}`;
const cleanup = new AsyncDisposableStack();
let file = "";
let port = 0;
let connections = 0;

before(async () => {
  process.env["NEX_TEST_CANARY"] = SECRET;
  const folder = cleanup.use(await mkdtempDisposable(join(tmpdir(), "nex-canary-")));
  file = join(folder.path, "secret");
  await writeFile(file, SECRET);
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup.defer(() => void server.close());
  ({ port } = server.address() as AddressInfo);
});
after(async () => {
  delete process.env["NEX_TEST_CANARY"];
  await cleanup.disposeAsync();
});

/** What attacks share, inside the isolate. `found` collects what must not be there. */
const TOOLS = `
const found = [];
const own = { Function, Object, objects: Object.prototype, getPrototypeOf: Object.getPrototypeOf, ownKeys: Reflect.ownKeys,
  getOwn: Object.getOwnPropertyDescriptor, String, Set, apply: Reflect.apply,
  then: Promise.prototype.then, push: Array.prototype.push, isPromise: ((tag) => (value) => typeof value === 'object' && value !== null && value instanceof tag)(Promise) };
const CODE = ["return process.env.NEX_TEST_CANARY", "return process.getBuiltinModule('fs').readFileSync(FILE, 'utf8')",
  "return require('fs').readFileSync(FILE, 'utf8')", "return process.mainModule.require('fs').readFileSync(FILE, 'utf8')",
  "return process.binding('natives')", "process.getBuiltinModule('net').connect(PORT, '127.0.0.1'); return 'connected'"];
/** What code of an attack came to; that of an asynchronous function or a generator, too. */
const took = (code, result) => {
  const say = (value) => own.apply(own.push, found, ['ran ' + code + ': ' + own.String(value)]);
  if (typeof result?.next === 'function') {
    const step = result.next();
    if (own.isPromise(step)) own.apply(own.then, step, [({ value }) => say(value), () => {}]); else say(step.value);
  } else if (own.isPromise(result)) own.apply(own.then, result, [say, () => {}]);
  else say(result);
};
/** Runs code with a Function constructor that an attack has got hold of. */
const use = (make) => { for (const code of CODE) try { took(code, make(code)()) } catch {} };
/** Walks everything that can be reached from a value and looks for objects of another realm or of the engine. */
const walk = (start) => {
  const seen = new own.Set(); const open = [start];
  while (open.length > 0 && seen.size < 20000) {
    const value = open.pop();
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
    seen.add(value);
    let root = value;
    for (let next = root; next !== null; next = own.getPrototypeOf(next)) root = next;
    const bare = own.getPrototypeOf(value) === null;
    if (!bare && root !== own.objects && own.getPrototypeOf(root) === null && own.ownKeys(root).includes('hasOwnProperty')) {
      found.push('another realm: ' + own.String(own.ownKeys(root))); use(root.constructor.constructor);
    }
    for (const key of own.ownKeys(value)) {
      if (['applySync', 'applySyncPromise', 'applyIgnored', 'copyInto', 'derefInto', 'transferIn'].includes(key)) found.push('reference: ' + own.String(key));
      const property = own.getOwn(value, key); if (property === undefined) continue;
      if ('value' in property) open.push(property.value);
      else { open.push(property.get, property.set); if (property.get && value !== globalThis) try { open.push(own.apply(property.get, value, [])) } catch (error) { open.push(error) } }
    }
    open.push(own.getPrototypeOf(value));
    if (typeof value !== 'function') continue;
    const make = value.constructor;
    if (typeof make === 'function') try { if (make('return 1') && make.name.endsWith('Function')) use(make) } catch {}
  }
  return seen.size;
};
`;

const hostServices: HostServices = recordingHostServices(({ service, method, headers, body }) => {
  const key = headers["x-keyvalue-key"];
  if (key === "fails") throw Object.assign(new RangeError("inside"), { process });
  if (key === "polluted" || method === "list")
    return { body: Buffer.from('[{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}]') };
  if (service === "http")
    return {
      body: Buffer.from('{"status":200,"headers":{"__proto__":["x"],"constructor":["y"]},"body":"b"}'),
    };
  if (method === "keys") return { body: Buffer.from('["__proto__","constructor"]') };
  if (method === "requestMany") return { body: Buffer.from('["AA=="]') };
  return { body: method === "get" || method === "request" ? body : Buffer.from('{"success":true}') };
});

/** Attacks by their names; the text of each is the body of an asynchronous function. */
const ATTACKS: Readonly<Record<string, string>> = {
  "everything that can be reached from the globals": `
    const size = walk(globalThis); for (const name of Object.getOwnPropertyNames(globalThis)) walk(globalThis[name]);
    if (size < 500) found.push('the walk was too short: ' + size);`,
  "everything that can be reached from what is handed over":
    "walk([subject, payload, payload.buffer, this, arguments, env]);",
  "results of host services": `
    walk([hostServices.kv.get('x'), hostServices.kv.keys(), hostServices.objectStore.list(), hostServices.http.get('http://h/'),
      hostServices.http.get('http://h/').bytes, hostServices.messaging.requestMany('a', 'b')]);
    walk(await Promise.all([hostServices.async.kv.get('x'), hostServices.async.objectStore.list(), fetch('http://h/'), hostServices.async.http.get('http://h/')]));
    const response = await fetch('http://h/'); walk([response, response.headers, await response.clone().arrayBuffer(), await response.bytes()]);`,
  "errors of host services and of the engine": `
    const errors = [];
    for (const call of [() => hostServices.kv.get('fails'), () => hostServices.kv.set('k', Symbol()), () => hostServices.kv.get(Symbol()),
      () => hostServices.http.get('nowhere'), () => new URL('x'), () => atob('?'), () => structuredClone(() => 1), () => crypto.getRandomValues(1),
      () => new TextDecoder('x'), () => (function deep() { deep() })(), () => setTimeout(1), () => new Headers([1]), () => null.x,
      () => JSON.parse('{'), () => new Array(-1), () => (0, eval)('('), () => new RegExp('('), () => hostServices.kv.get({ toString: () => ({}) })])
      try { call() } catch (error) { errors.push(error) }
    const calls = [hostServices.async.kv.get('fails'), fetch('x'), crypto.subtle.digest('x', payload), import('node:fs')];
    await Promise.all(calls.map((call) => call.catch((error) => errors.push(error))));
    for (const error of errors) if (/node:|\\/src\\/|node_modules|file:\\/\\/\\/(?!echojs)/.test(error.stack + error.message)) found.push('path: ' + error.stack);
    walk(errors);`,
  "constructor chains": `
    for (const value of [payload, subject, env, console.log, hostServices.kv.get, hostServices.async.kv.get, fetch, URL, crypto, setTimeout, performance, new Response(), Promise.resolve(), hostServices.async.kv.get('x')])
      for (let object = Object(value); object !== null; object = Object.getPrototypeOf(object)) if (typeof object.constructor === 'function') { use(object.constructor); use(object.constructor.constructor) }`,
  "constructors of asynchronous functions and generators": `
    for (const value of [async () => {}, function* () {}, async function* () {}, async function () {}, Object.getPrototypeOf(new URLSearchParams().entries()).next]) use(Object.getPrototypeOf(value).constructor);
    use((0, eval)); use((code) => (0, eval)('(() => {' + code + '})'));`,
  "prepareStackTrace and call sites": `
    const sites = [];
    Error.prepareStackTrace = (error, trace) => { sites.push(...trace, error); for (const site of trace) sites.push(site.getThis(), site.getFunction(), site.getEvalOrigin()); return trace };
    Error.stackTraceLimit = 200;
    const throwing = { get a() { sites.push(new Error().stack); return 1 }, toString() { sites.push(new Error().stack); return 'x' }, toJSON() { sites.push(new Error().stack); return 1 }, [Symbol.toPrimitive]() { sites.push(new Error().stack); return 'x' } };
    console.log(throwing, '%s', throwing); JSON.stringify(throwing); structuredClone({ get a() { return new Error().stack.length } });
    for (const call of [() => hostServices.kv.get(throwing), () => new URL(throwing), () => new Headers({ a: throwing }), () => hostServices.kv.get('fails'), () => new Request('http://h', throwing), () => setTimeout(throwing)])
      try { call() } catch (error) { sites.push(error, error.stack) }
    await new Promise((resolve) => setTimeout(() => { sites.push(new Error().stack); resolve() }, 1));
    await hostServices.async.kv.get('x'); sites.push(new Error().stack);
    (function deep() { try { deep() } catch (error) { sites.push(error.stack) } })();
    const target = {}; Error.captureStackTrace(target); sites.push(target.stack); Error.captureStackTrace(hostServices.kv.get.prototype ?? {}, fetch);
    for (const site of sites.flat()) { if (typeof site?.applySync === 'function') found.push('reference'); }
    walk(sites);`,
  "proxies and species": `
    const seen = []; const handler = new Proxy({}, { get: (_, trap) => (...values) => { seen.push(values, values.at(-1)); return Reflect[trap](...values) } });
    const proxy = (value) => new Proxy(value, handler);
    for (const call of [() => console.log(proxy({ a: 1 })), () => hostServices.kv.get(proxy(() => 'x')), () => hostServices.kv.set('k', proxy(new Uint8Array(2))),
      () => structuredClone(proxy({ a: [1] })), () => new URL(proxy(new URL('http://h'))), () => new Headers(proxy({ a: 'b' })), () => new Response(proxy(payload)), () => fetch('http://h', proxy({ method: 'POST', headers: proxy({}) })),
      () => crypto.getRandomValues(proxy(new Uint8Array(1))), () => new URLSearchParams(proxy([['a', 'b']])), () => new TextDecoder().decode(proxy(payload)), () => crypto.subtle.digest(proxy({ name: 'SHA-1' }), payload)])
      try { await call() } catch (error) { seen.push(error) }
    class Spy extends Uint8Array { constructor(...values) { super(...values); seen.push(values, this, new.target) } static get [Symbol.species]() { return function (...values) { seen.push(values, this); return new Uint8Array(...values) } } }
    for (const call of [() => hostServices.kv.set('k', new Spy(3)), () => new TextDecoder().decode(new Spy(3)), () => new Response(new Spy(3)).bytes(), () => crypto.getRandomValues(new Spy(3)), () => structuredClone(new Spy(3))]) try { seen.push(await call()) } catch (error) { seen.push(error) }
    Object.defineProperty(Promise, Symbol.species, { get() { return function (run) { run((value) => seen.push(value), (error) => seen.push(error)) } } });
    hostServices.async.kv.get('x').then((value) => seen.push(value)); await hostServices.async.kv.get('x');
    walk(seen); `,
  "getters and converters in arguments and options": `
    const seen = []; const spy = () => new Proxy(function () {}, { get: (_, name) => { seen.push(name); return name === Symbol.toPrimitive ? (...values) => { seen.push(...values); return 'x' } : spy() }, apply: (...values) => { seen.push(...values); return 'x' } });
    for (const call of [() => new TextDecoder(spy(), spy()), () => fetch(spy(), spy()), () => new Request('http://h', spy()), () => new Response(spy(), spy()), () => new URL(spy(), spy()), () => structuredClone({}, spy()), () => new DOMException(spy(), spy()), () => setTimeout(() => {}, spy()), () => atob(spy()), () => crypto.subtle.digest(spy(), payload), () => hostServices.kv.get(spy()), () => hostServices.http.get(spy(), spy()), () => console.log(spy()), () => new Headers(spy())])
      try { seen.push(await call()) } catch (error) { seen.push(error) }
    walk(seen);`,
  "Symbol.hasInstance, toStringTag and isConcatSpreadable": `
    const seen = []; const catchAll = { configurable: true, value(value) { seen.push(value, this); return true } };
    for (const of of [Uint8Array, ArrayBuffer, Error, Map, Set, Date, RegExp, Promise, Request, URLSearchParams, TypeError]) Object.defineProperty(of, Symbol.hasInstance, catchAll);
    Object.defineProperty(Object.prototype, Symbol.toStringTag, { configurable: true, get() { seen.push(this); return 'Uint8Array' } });
    Object.defineProperty(Array.prototype, Symbol.isConcatSpreadable, { configurable: true, get() { seen.push(this) } });
    for (const call of [() => hostServices.kv.set('k', {}), () => console.log({}, [], new Map()), () => structuredClone({ a: 1 }), () => fetch('http://h', { method: 'POST', body: {} }), () => hostServices.async.kv.get('x'), () => new Response({})]) try { seen.push(await call()) } catch (error) { seen.push(error) }
    walk(seen);`,
  "built-ins replaced before host calls": `
    const seen = []; const spy = (owner, name) => { const property = Object.getOwnPropertyDescriptor(owner, name); if (typeof property?.value !== 'function' || !property.configurable) return; const before = property.value;
      Object.defineProperty(owner, name, { ...property, value: function (...values) { if (seen.length < 3000) seen[seen.length] = [this, values]; return own.apply(before, this, values) } }) };
    for (const owner of [Array.prototype, Function.prototype, Map.prototype, Set.prototype, Promise.prototype, Promise, Reflect, Object, JSON, String.prototype, RegExp.prototype, Object.getPrototypeOf(Uint8Array.prototype), Uint8Array, ArrayBuffer])
      for (const name of own.ownKeys(owner)) if (!['constructor', 'apply', 'call'].includes(name) || owner === Reflect) spy(owner, name);
    const run = async () => { hostServices.kv.get('x'); hostServices.kv.set('k', new Uint8Array(2)); await hostServices.async.kv.get('x'); console.log({ a: 1 }); new URL('http://h').searchParams.append('a', 'b'); await fetch('http://h/'); crypto.randomUUID(); structuredClone({ a: [1] }); await new Promise((done) => setTimeout(done, 1)) };
    try { await run() } catch (error) { seen.push(error) }
    walk(seen);`,
  "prototype pollution": `
    const seen = [];
    for (const name of ['then', 'get', 'set', 'value', 'writable', 'arguments', 'result', 'reference', 'copy', 'promise', 'timeout', 'transferIn', 'release', 'body', 'headers', 'method', 'url', 'stack', 'cause', 'name', '0', '1', '2', 'length'])
      try { Object.defineProperty(Object.prototype, name, { configurable: true, get() { if (seen.length < 3000) own.apply(Array.prototype.push, seen, [this]); return undefined }, set(value) { own.apply(Array.prototype.push, seen, [this, value]) } }) } catch {}
    for (const call of [() => hostServices.kv.get('x'), () => hostServices.async.kv.get('x'), () => fetch('http://h'), () => new URL('http://h'), () => console.log({}), () => structuredClone({ a: 1 }), () => crypto.randomUUID(), () => hostServices.http.get('http://h')]) try { own.apply(Array.prototype.push, seen, [await call()]) } catch {}
    for (const name of own.ownKeys(Object.prototype)) if (!['constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty'].includes(name) && own.getOwn(Object.prototype, name).get) delete Object.prototype[name];
    walk(seen);`,
  "values of the host that pollute": `
    const list = hostServices.objectStore.list(); const [headers] = [hostServices.http.get('http://h/').headers]; await fetch('http://h/');
    if ({}.polluted !== undefined || Object.prototype.polluted !== undefined) found.push('polluted');
    const merged = Object.assign({}, list[0], headers); if ({}.polluted !== undefined) found.push('polluted by a merge'); walk([list, headers, merged]);`,
  "promise tricks": `
    const seen = []; const before = Promise.prototype.then;
    Promise.prototype.then = function (...values) { if (seen.length < 2000) seen[seen.length] = [this, values]; return own.apply(before, this, values) };
    Object.defineProperty(Object.prototype, 'then', { configurable: true, get() { if (seen.length < 2000) seen[seen.length] = this; return undefined } });
    try { await hostServices.async.kv.get('x'); await fetch('http://h/'); await crypto.subtle.digest('SHA-1', payload) } catch (error) { seen[seen.length] = error }
    delete Object.prototype.then; Promise.prototype.then = before; 
    const { promise, resolve } = Promise.withResolvers(); resolve({ then(...values) { seen.push(values); values[0](1) } }); await promise; walk(seen);`,
  "modules and WebAssembly": `
    for (const name of ['fs', 'node:fs', 'data:text/javascript,export default 1', 'file:///etc/passwd']) try { found.push('imported ' + (await import(name))) } catch (error) { walk(error) }
    for (const code of ["import('node:fs')", "import.meta"]) try { found.push('imported ' + (await (0, eval)(code))) } catch (error) { walk(error) }
    for (const make of [Function, Object.getPrototypeOf(async () => {}).constructor]) try { found.push('imported ' + (await make("return import('node:fs')")())) } catch (error) { walk(error) }
    for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'require', 'module', 'process', 'Buffer', 'global', 'Deno', 'ivm', 'gc', 'd8', 'print', 'load', 'read', 'Worker', 'importScripts']) if (typeof globalThis[name] !== 'undefined') found.push(name);`,
  "natives syntax, caller and arguments": `
    for (const code of ['%GetHeapUsage()', '%DebugPrint(1)']) try { found.push(String((0, eval)(code))) } catch {}
    const seen = []; function spy() { seen.push(spy.caller, arguments.callee.caller, spy.arguments) }
    for (const call of [() => console.log({ get a() { spy() }, toString: spy }), () => JSON.stringify({ toJSON: spy }), () => new Headers({ a: { toString: () => { spy(); return 'x' } } }), () => hostServices.kv.get({ toString: () => { spy(); return 'x' } })]) try { call() } catch (error) { seen.push(error) }
    await new Promise((resolve) => setTimeout(function late() { try { seen.push(late.caller) } catch {} spy(); resolve() }, 1)); spy(); walk(seen);`,
  "the loopback interface": `
    for (const url of ['http://127.0.0.1:' + PORT, 'http://localhost:' + PORT, 'http://[::1]:' + PORT, 'http://0x7f.1:' + PORT, 'file://' + FILE, 'data:,x'])
      { try { walk(hostServices.http.get(url)) } catch {} try { walk(await fetch(url)) } catch {} }`,
};

for (const [name, body] of Object.entries(ATTACKS)) {
  for (const thread of ["on the main thread", "on a thread of its own"]) {
    const blocks = thread !== "on the main thread";
    // On the main thread synchronous calls are refused: their errors stand for their results.
    const code = blocks ? body : body.replaceAll(/\bhostServices\.(?!async)/g, "refused.");
    test(`A JavaScript function gets nowhere by ${name}, ${thread}`, async () => {
      const source = `${blocks ? "void hostServices;" : ""} const FILE = ${JSON.stringify(file)}, PORT = ${port}; ${TOOLS}
        const refused = new Proxy({}, { get: (_, service) => new Proxy({}, { get: (_, method) => (...values) => { try { return globalThis['host' + 'Services'][service][method](...values) } catch (error) { return error } } }) });
        for (let index = 0; index < CODE.length; index++) CODE[index] = CODE[index].replace('FILE', JSON.stringify(FILE)).replace('PORT', PORT);
        (async function (subject, payload) { ${code}; await null; return { toJSON: undefined, text: found.join('\\n') }.text })`;
      await using loaded = await loadTestFunction({ source, hostServices, environment: { VISIBLE: "1" } });
      const outcome = await loaded.invoke("attack", Uint8Array.of(1, 2, 3));
      const said = outcome.kind === "succeeded" ? Buffer.from(outcome.body).toString() : outcome.message;
      assert.deepEqual([outcome.kind, said], ["succeeded", '""']);
      const everything = said + JSON.stringify(loaded.lines);
      assert.ok(!everything.includes(SECRET), "the secret is out");
      assert.equal(connections, 0);
    });
  }
}
