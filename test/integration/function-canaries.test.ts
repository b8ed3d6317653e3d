// Functions on a real node look for what is not theirs: a file with a secret, the node's environment, a listener on the
// loopback interface. The ways out of the engines themselves are tried in src/functions.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { collectLogs } from "../support/collect-events.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { whyNoCompiler } from "../support/wasm-compiler.ts";

const SECRET = `canary-${randomUUID()}`;
const noCompiler = whyNoCompiler();
const cleanup = new AsyncDisposableStack();
let it: TestNode;
let folder = "";
let file = "";
let url = "";
let connections = 0;

before(async () => {
  process.env["NEX_TEST_CANARY"] = SECRET;
  cleanup.defer(() => void delete process.env["NEX_TEST_CANARY"]);
  folder = cleanup.use(await mkdtempDisposable(join(tmpdir(), "nex-canary-"))).path;
  file = join(folder, "secret");
  await writeFile(file, SECRET);
  const listener = createServer((socket) => {
    connections += 1;
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  }).listen(0, "127.0.0.1");
  cleanup.defer(() => void listener.close());
  await once(listener, "listening");
  url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
  it = cleanup.use(await startTestNode({ configuration: { machine_pool_size: 2 } }));
});
after(async () => cleanup.disposeAsync());

/** Ways of a function to its host, should it have any; collects what they gave. */
const WAYS = `
  const found = [];
  const { file, name, url } = JSON.parse(new TextDecoder().decode(payload));
  const code = ["return process.env[NAME]", "return require('fs').readFileSync(FILE, 'utf8')",
    "return process.getBuiltinModule('fs').readFileSync(FILE, 'utf8')"];
  for (const make of [Function, payload.constructor.constructor, hostServices.async.kv.get.constructor])
    for (const text of code)
      try { found.push(make("NAME", "FILE", text)(name, file)) } catch {}
  for (const text of code)
    try { found.push(await (async () => {}).constructor("NAME", "FILE", text)(name, file)) } catch {}
  try { found.push(await import("node:fs")) } catch {}
  if (env[name] !== undefined) found.push(env[name]);
  for (const call of [() => fetch(url), () => fetch("file://" + file), () => hostServices.async.http.get(url)])
    try { found.push(await call()) } catch {}`;

const FUNCTIONS = {
  asynchronous: `async (subject, payload) => { ${WAYS}; return found; }`,
  "with synchronous calls": `async (subject, payload) => { ${WAYS};
    for (const method of ["get", "head", "post"])
      for (const to of [url, url.replace("127.0.0.1", "localhost"), "file://" + file])
        try { found.push(hostServices.http[method](to)) } catch {}
    return found; }`,
} as const;

for (const [title, artifact] of Object.entries(FUNCTIONS)) {
  test(`A JavaScript function, ${title}, finds no canary`, async () => {
    const name = title.replaceAll(/\W/g, "");
    const logs = await collectLogs(it.connection);
    await it.deploy({ name, artifact, workloadType: "v8", triggerSubjects: [`canary.${name}`] });
    const input = JSON.stringify({ file, name: "NEX_TEST_CANARY", url });
    const reply = await it.connection.request(`canary.${name}`, input, { timeout: 20_000 });
    assert.deepEqual([reply.headers?.get("Nats-Service-Error") ?? "", reply.string()], ["", "[]"]);
    assert.equal(connections, 0);
    assert.ok(!JSON.stringify(logs).includes(SECRET));
  });
}

test("A WebAssembly function finds no canary", { skip: noCompiler }, async () => {
  const module = join(folder, "canaries.wasm");
  const include = join(import.meta.dirname, "..", "..", "examples", "wasm", "include");
  const source = join(import.meta.dirname, "fixtures", "canaries.c");
  await promisify(execFile)("clang", ["--target=wasm32-wasi", "-Os", "-I", include, "-o", module, source]);
  await it.deploy({
    name: "canarywasm",
    artifact: await readFile(module),
    workloadType: "wasm",
    triggerSubjects: ["canary.wasm"],
  });
  const input = [file, "NEX_TEST_CANARY", url].join("\n");
  const reply = await it.connection.request("canary.wasm", input, { timeout: 20_000 });
  assert.deepEqual([reply.headers?.get("Nats-Service-Error") ?? "", reply.string()], ["", "tried"]);
  assert.equal(connections, 0);
});
