// The web's interfaces inside a real isolate, held against those of Node.js where it has them.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import {
  answer,
  bodyOf,
  bodyText,
  loadTestFunction,
  recordingHostServices,
  run,
} from "../../../test/support/function-kit.ts";

const NONE = new Uint8Array(0);

/** Evaluates an expression here and inside an isolate; both must come to the same JSON. */
async function same(expression: string): Promise<void> {
  // oxlint-disable-next-line no-eval, typescript/no-implied-eval -- the test's own text
  const expected: unknown = await (new Function(`return (async () => (${expression}))()`) as () => unknown)();
  const [inside] = JSON.parse(
    await answer(`async () => [await (async () => (${expression}))()]`),
  ) as unknown[];
  assert.deepEqual(inside, (JSON.parse(JSON.stringify([expected])) as unknown[])[0], expression);
}

test("TextDecoder reads UTF-8 as Node.js does, broken or not", async () => {
  await using loaded = await loadTestFunction({
    source: `(subject, payload) => {
      let fatal = 'fine';
      try { new TextDecoder('utf-8', { fatal: true }).decode(payload) } catch (error) { fatal = error.constructor.name }
      return [new TextDecoder().decode(payload), new TextDecoder('utf8', { ignoreBOM: true }).decode(payload), fatal];
    }`,
  });
  const pieces = ["plain", "ü€😀", "\ufeffmark", "\0"].map((text) => Buffer.from(text));
  const broken = [
    "80",
    "c3",
    "e2 82",
    "e2 28 a1",
    "f0 9f 98",
    "c0 80",
    "ed a0 80",
    "f4 90 80 80",
    "ff",
    "e0 80 80",
  ];
  const samples = [...pieces, ...broken.map((hex) => Buffer.from(hex.replaceAll(" ", ""), "hex"))];
  for (let round = 0; round < 60; round++) {
    samples.push(
      Buffer.concat(Array.from({ length: 3 }, () => samples[Math.floor(Math.random() * 14)] ?? NONE)),
    );
    samples.push(randomBytes(9));
  }
  samples.push(
    Buffer.from("ab€".repeat(9000)),
    Buffer.concat([Buffer.from("€".repeat(9000)), Buffer.of(0xe2)]),
  );
  for (const sample of samples) {
    let fatal = "fine";
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(sample);
    } catch {
      fatal = "TypeError";
    }
    const expected = [
      new TextDecoder().decode(sample),
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(sample),
      fatal,
    ];
    assert.deepEqual(
      JSON.parse(bodyText(await loaded.invoke("x", sample))),
      expected,
      sample.toString("hex").slice(0, 60),
    );
  }
});

test("TextDecoder joins what a stream cut apart", async () => {
  const stream = (bytes: string, encoding: string): string => `(() => {
    const decoder = new TextDecoder('${encoding}'); const parts = [];
    for (const byte of [${bytes}]) parts.push(decoder.decode(new Uint8Array([byte]), { stream: true }));
    return [...parts, decoder.decode()];
  })()`;
  for (const text of ["\ufeffaü€😀", "\ufeff\ufeff"])
    await same(stream([...Buffer.from(text)].join(), "utf-8"));
  await same(stream("0xe2, 0x82, 0x41, 0xf0, 0x9f, 0xed, 0xa0, 0x80, 0xe2", "utf-8"));
  await same(stream([...Buffer.from("\ufeffa😀", "utf16le")].join(), "utf-16le"));
  await same("new TextDecoder('latin1').decode(new Uint8Array([0x41, 0x80, 0x9f, 0xe9, 0xff]))");
  await same("new TextDecoder('utf-16').decode(new Uint8Array([0x41, 0, 0, 0xd8, 0x42, 0, 0x43]))");
  await same("(() => { try { new TextDecoder('nope') } catch (error) { return error.name } })()");
});

test("TextEncoder writes UTF-8", async () => {
  for (const text of ["", "plain", "ü€😀", "\\ud800x", "\\udc00"])
    await same(`Array.from(new TextEncoder().encode('${text}'))`);
  await same(
    "(() => { const b = new Uint8Array(6); return [new TextEncoder().encodeInto('a€😀b', b), Array.from(b)] })()",
  );
  const large = bodyOf(await run("() => new TextEncoder().encode('aü'.repeat(200000))"));
  assert.equal(Buffer.from(large).toString(), "aü".repeat(200_000));
});

test("atob and btoa are inverse, and refuse what they can't do", async () => {
  await same("['', 'a', 'ab', 'abc', '\\u00ff\\u0000\\u0080'].map((text) => [btoa(text), atob(btoa(text))])");
  await same(
    "[' YQ==', 'YQ', 'YWI\\n', 'YQ=', 'YQ===', 'Y', '?', 'Y-'].map((t) => { try { return atob(t) } catch (e) { return e.name } })",
  );
  await same(
    "(() => { try { btoa('€') } catch (error) { return [error.name, error.code, error instanceof DOMException, error instanceof Error] } })()",
  );
});

test("URL follows the standard", async () => {
  const parts =
    "(u) => [u.href, u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash, String(u), JSON.stringify(u)]";
  for (const url of [
    "https://a:b@Exämple.org:8080/a/../b c?x=ü#f",
    "HTTP://0x7f.1/",
    "mailto:x@y",
    "http://[::1]/",
    "file:///a",
  ])
    await same(`(${parts})(new URL('${url}'))`);
  await same(`(${parts})(new URL('../x?y', 'https://h/a/b/c'))`);
  await same(
    "['', '/x', 'http://', 'http://a b', '//h'].map((u) => [URL.canParse(u), URL.parse(u), (() => { try { new URL(u) } catch (e) { return [e.name, e.code] } })()])",
  );
  await same(`(() => {
    const url = new URL('http://h/p?a=1&a=2#f');
    url.protocol = 'https'; url.hostname = 'other.example'; url.port = '81'; url.pathname = 'ä b'; url.hash = '';
    url.username = 'ü'; url.password = '@'; url.protocol = 'nonsense:'; url.port = 'x'; url.host = 'h2:99';
    url.searchParams.append('b', 'c d&'); const first = url.href;
    url.search = '?z=1'; const second = [...url.searchParams]; url.searchParams.delete('z');
    const third = url.href; url.href = 'http://new/?q'; return [first, second, third, [...url.searchParams], url.href];
  })()`);
});

test("URLSearchParams reads, changes and writes queries", async () => {
  for (const init of [
    "'?a=1&b=%20+c&a=%C3%A9&=x&y&&%zz=%ff'",
    "{ a: 1, 'b c': 'd!\\'()~*' }",
    "[['x', '1'], ['x', '€']]",
    "new URLSearchParams('q=1')",
    "new Map([['k', 'v']])",
    "undefined",
  ]) {
    await same(
      `(() => { const p = new URLSearchParams(${init}); return [String(p), [...p], p.size, [...p.keys()], [...p.values()], p.get('a'), p.getAll('a'), p.has('b')] })()`,
    );
  }
  await same(`(() => { const p = new URLSearchParams('b=1&a=1&b=2&c=3');
    p.set('b', 9); p.append('a', 0); p.delete('a', '1'); p.sort(); const seen = []; p.forEach((v, k) => seen.push(k + v));
    return [String(p), seen, p.has('a', '0'), p.has('a', '1'), p.get('none')] })()`);
  await same("(() => { try { new URLSearchParams([['a']]) } catch (error) { return error.name } })()");
});

test("structuredClone copies data of every kind", async () => {
  await same(`(() => {
    const value = { n: null, u: undefined, big: String(1n), date: new Date(5), list: [1, , 3], nested: { deep: ['x'] } };
    value.self = value; value.list.extra = 'kept';
    const copy = structuredClone(value);
    return [copy !== value, copy.self === copy, 1 in copy.list, copy.list.length, copy.list.extra, 'u' in copy, copy.date.getTime(), copy.nested];
  })()`);
  await same(`(() => {
    const shared = { s: 1 };
    const copy = structuredClone(new Map([[shared, new Set([shared, 'x'])], ['k', new Map()]]));
    const [[key, set]] = copy;
    return [copy instanceof Map, key.s, set.has(key), set.size, copy.get('k') instanceof Map];
  })()`);
  await same(`(() => {
    const buffer = new Uint8Array([1, 2, 3, 4]).buffer;
    const [a, b, view, raw] = structuredClone([new Uint8Array(buffer, 1, 2), new Uint16Array(buffer), new DataView(buffer, 1), buffer]);
    return [[...a], a.byteOffset, [...b], a.buffer === b.buffer, a.buffer === raw, raw !== buffer, view.getUint8(0), view.byteLength];
  })()`);
  await same(`(() => {
    const error = Object.assign(new RangeError('far', { cause: { c: 1 } }), { extra: 1 });
    const copy = structuredClone(error); const re = structuredClone(/x+/gi);
    return [copy instanceof RangeError, copy.message, copy.cause, copy.extra ?? null, re.source, re.flags, structuredClone(new Number(5)) + 1, typeof structuredClone(Object('s'))];
  })()`);
  await same(`[() => 1, Symbol('x'), new WeakMap(), new WeakSet(), new WeakRef({}), Promise.resolve(), [() => 1], new Map([[1, Symbol()]])].map((value) => {
    try { structuredClone(value); return 'cloned' } catch (error) { return [error.name, error.code] }
  })`);
  await same(
    `(() => { class Point { x = 1; get y() { return 2 } } const copy = structuredClone(new Point()); return [copy, copy.constructor === Object] })()`,
  );
  assert.equal(
    await answer("() => { try { structuredClone(new Headers()) } catch (e) { return e.name } }"),
    '"DataCloneError"',
  );
});

test("crypto gives random numbers and digests", async () => {
  const shown = JSON.parse(
    await answer(`async (subject, payload) => {
      const values = new Uint32Array(4); const same = crypto.getRandomValues(values) === values;
      const wrong = [new Float64Array(1), {}, new Uint8Array(65537)].map((v) => { try { crypto.getRandomValues(v) } catch (e) { return e.name } });
      const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
      const part = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
      const digests = [];
      for (const name of ['SHA-1', 'sha-256', { name: 'SHA-384' }, 'SHA-512']) digests.push(hex(await crypto.subtle.digest(name, part)));
      const refused = await crypto.subtle.digest('MD5', part).catch((error) => error.name);
      return { some: values.some((v) => v !== 0), same, wrong, digests, refused, ids: [crypto.randomUUID(), crypto.randomUUID()] };
    }`),
  ) as { some: boolean; same: boolean; wrong: string[]; digests: string[]; refused: string; ids: string[] };
  assert.deepEqual([shown.some, shown.same, shown.refused], [true, true, "NotSupportedError"]);
  assert.deepEqual(shown.wrong, ["TypeMismatchError", "TypeMismatchError", "QuotaExceededError"]);
  const digest = (name: string): string => createHash(name).update(Uint8Array.of(1, 2)).digest("hex");
  assert.deepEqual(shown.digests, ["sha1", "sha256", "sha384", "sha512"].map(digest));
  assert.match(shown.ids[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(shown.ids[0], shown.ids[1]);
});

test("What the host computes works in functions that wait for host services, too", async () => {
  const source = `async () => { void hostServices; const { buffer } = new TextEncoder().encode('x');
    return [new URL('http://A/').host, crypto.randomUUID().length, (await crypto.subtle.digest('SHA-256', buffer)).byteLength] }`;
  assert.equal(await answer(source), '["a",36,32]');
});

test("Headers, Request and Response behave as the web's", async () => {
  await same(`(() => { const h = new Headers({ B: ' 1 ', a: 'x' }); h.append('b', '2'); h.append('Set-Cookie', 'c=1'); h.append('set-cookie', 'd=2');
    return [[...h], h.get('B'), h.get('none'), h.has('A'), h.getSetCookie(), [...new Headers([...h])]] })()`);
  await same(
    "['a b', 'x:', ''].map((name) => { try { new Headers([[name, 'v']]); return 'ok' } catch (error) { return error.name } })",
  );
  await same("(() => { try { new Headers({ a: 'x\\r\\nb: c' }) } catch (error) { return error.name } })()");
  await same(`(async () => { const r = new Request('http://h/p', { method: 'post', body: 'text', headers: { x: '1' } });
    const copy = r.clone();
    return [r.method, r.url, [...r.headers], await r.text(), r.bodyUsed, await copy.text(), await r.text().catch((error) => error.name)] })()`);
  await same(`(async () => { const r = Response.json({ a: 1 }, { status: 201 });
    return [r.ok, r.status, r.headers.get('content-type'), await r.clone().json(), (await r.arrayBuffer()).byteLength, r.bodyUsed] })()`);
  await same(
    "(async () => [await new Response(new URLSearchParams({ a: 'b c' })).text(), (await new Response(new Uint8Array([1, 2])).bytes()).length, await new Response().text()])()",
  );
  await same(
    "[() => new Response('x', { status: 99 }), () => new Response('x', { status: 204 }), () => new Request('http://h', { body: 'x' })].map((f) => { try { f(); return 'ok' } catch (error) { return error.name } })",
  );
});

test("fetch goes through the http host service", async () => {
  const hostServices = recordingHostServices(({ method, headers, body }) => {
    const url = headers["x-http-url"] ?? "";
    if (url.endsWith("/refused")) return { code: 403, message: "the address is private" };
    if (url.endsWith("/moved"))
      return { body: Buffer.from(JSON.stringify({ status: 302, headers: { Location: ["/x"] }, body: "" })) };
    const binary = url.endsWith("/binary") ? { body_base64: Buffer.of(0, 255, 128).toString("base64") } : {};
    const text = url.endsWith("/json") ? '{"a":1}' : `${method} ${Buffer.from(body).toString()}`;
    const shown = { "Content-Type": ["text/plain"], "Set-Cookie": ["a=1", "b=2"] };
    return { body: Buffer.from(JSON.stringify({ status: 200, headers: shown, body: text, url, ...binary })) };
  });
  const source = `async () => {
    const post = await fetch('http://h/post#part', { method: 'POST', body: 'héya', headers: { 'X-One': '1', accept: 'é' } });
    const results = [post.status, post.ok, post.url, post.redirected, post.headers.get('content-type'), post.headers.getSetCookie(), await post.text()];
    results.push(await (await fetch(new Request('http://h/json'))).json());
    results.push(Array.from(await (await fetch(new URL('http://h/binary'))).bytes()));
    results.push((await fetch('http://h/moved', { redirect: 'manual' })).status);
    for (const make of [() => fetch('http://h/refused'), () => fetch('nowhere'), () => fetch('http://h/', { method: 'OPTIONS' }), () => fetch('http://h/moved', { redirect: 'error' })])
      results.push(await make().catch((error) => error.constructor.name + ': ' + error.message));
    return results;
  }`;
  assert.deepEqual(JSON.parse(await answer(source, { hostServices })), [
    200,
    true,
    "http://h/post",
    false,
    "text/plain",
    ["a=1", "b=2"],
    "post héya",
    { a: 1 },
    [0, 255, 128],
    302,
    "TypeError: fetch failed: failed to complete HTTP request: the address is private (403)",
    'TypeError: Invalid URL: "nowhere"',
    "TypeError: fetch failed: the method OPTIONS is not supported",
    "TypeError: fetch failed: the answer is a redirect",
  ]);
  const [first] = hostServices.calls;
  assert.deepEqual(JSON.parse(first?.headers["x-http-headers"] ?? ""), {
    "x-one": "1",
    accept: "é",
    "content-type": "text/plain;charset=UTF-8",
  });
  assert.match(first?.headers["x-http-headers"] ?? "", /^[\x20-\x7e]*$/);
  assert.equal(
    hostServices.calls.find(({ headers }) => headers["x-http-url"]?.endsWith("moved"))?.headers[
      "x-http-redirect"
    ],
    "manual",
  );
});

test("Globals can be replaced, and one that no source names is there all the same", async () => {
  assert.equal(await answer("() => { fetch = () => 5; return fetch() + (globalThis.Headers = 1) }"), "6");
  const source = `() => { const names = Object.getOwnPropertyNames(globalThis);
    Array.prototype.map = undefined; globalThis.eval = undefined;
    return [typeof globalThis['U' + 'RL'], new globalThis['Text' + 'Decoder']().decode(new Uint8Array([195, 169])), names.includes('Headers'), globalThis['U' + 'RL'].name] }`;
  assert.equal(await answer(source), '["function","é",true,"URL"]');
});
