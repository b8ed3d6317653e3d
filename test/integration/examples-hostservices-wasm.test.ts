// The WebAssembly examples of the host services, in C and in Rust, each on a real node with real services behind it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Kvm } from "@nats-io/kv";
import { collectLogs } from "../support/collect-events.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";
import { whyNoCompiler } from "../support/wasm-compiler.ts";

const examples = join(dirname(dirname(import.meta.dirname)), "examples", "wasm");
const noCompiler = whyNoCompiler();
let it: TestNode;
let server: ReturnType<typeof createServer>;

before(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { method = "", headers } = request;
      response.statusCode = 201;
      response
        .setHeader("Content-Type", "text/plain")
        .end(`${method} ${String(headers["x-example"])} ${body}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  it = await startTestNode({
    configuration: {
      machine_pool_size: 2,
      host_services: {
        services: {
          http: { enabled: true, config: { allow: ["127.0.0.1"] } },
          kv: { enabled: true },
          objectstore: { enabled: true },
          messaging: { enabled: true, config: { request_many_timeout_ms: 1000 } },
        },
      },
    },
  });
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await it[Symbol.asyncDispose]();
});

/** Deploys a module that answers on `NAME.SERVICE`. */
async function deploy(node: TestNode, name: string, artifact: Uint8Array): Promise<void> {
  await node.deploy({
    name,
    artifact,
    workloadType: "wasm",
    triggerSubjects: [`${name}.*`],
    environment: { URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` },
  });
}

/** The reply, or the text of the failure. */
async function ask(node: TestNode, subject: string, payload: string): Promise<string> {
  const reply = await node.connection.request(subject, payload, { timeout: 9000 });
  return reply.headers?.get("Nats-Service-Error") || reply.string();
}

for (const [name, directory] of [
  ["inc", "hostservices-c"],
  ["inrust", "hostservices-rust"],
] as const) {
  describe(`examples/wasm/${directory}`, () => {
    before(async () => deploy(it, name, await readFile(join(examples, directory, "hostservices.wasm"))));

    test("is small", async () => {
      const bytes = await readFile(join(examples, directory, "hostservices.wasm"));
      assert.ok(bytes.length < 100_000, `${bytes.length} bytes`);
    });

    test("keeps one value and deletes the other", async () => {
      const logs = await collectLogs(it.connection);
      assert.equal(await ask(it, `${name}.kv`, "heya"), "heya");
      await until(() => logs.some(({ text }) => text === "key: hello2"));
      assert.ok(!logs.some(({ text }) => text === "key: hello"));
    });

    test("keeps one object and deletes the other", async () => {
      const logs = await collectLogs(it.connection);
      const payload = "x".repeat(300_000);
      assert.equal(await ask(it, `${name}.objectstore`, payload), payload);
      await until(() => logs.some(({ text }) => text.startsWith("object: ")));
      const objects = logs.filter(({ text }) => text.startsWith("object: "));
      const infos = objects.map(({ text }) => JSON.parse(text.slice("object: ".length)) as object);
      assert.equal(infos.length, 1);
      assert.partialDeepStrictEqual(infos[0], { name: "hello2", size: 300_000 });
    });

    test("publishes, asks one and asks many", async () => {
      const published: string[] = [];
      const { connection } = it;
      const subscriptions = [
        connection.subscribe("hello.world", {
          callback: (_, message) => void published.push(message.string()),
        }),
        connection.subscribe("hello.world.request", {
          callback: (_, message) => void message.respond(`one ${message.string()}`),
        }),
        ...["a", "b"].map((answerer) =>
          connection.subscribe("hello.world.request.many", {
            callback: (_, message) => void message.respond(`${answerer} ${message.string()}`),
          }),
        ),
      ];
      await connection.flush();
      const [one, ...many] = (await ask(it, `${name}.messaging`, "heya")).split("\n");
      assert.equal(one, "one heya");
      assert.deepEqual(many.toSorted(), ["a heya", "b heya"]);
      await until(() => published.length > 0);
      assert.deepEqual(published, ["heya"]);
      for (const subscription of subscriptions) subscription.unsubscribe();
    });

    test("makes a request and reads the answer's status and headers", async () => {
      assert.equal(
        await ask(it, `${name}.http`, "heya"),
        "201 Content-Type: text/plain POST hostservices heya",
      );
    });

    test("fails with the service's reason in its log, and works on", async () => {
      const logs = await collectLogs(it.connection);
      assert.match(await ask(it, `${name}.messaging`, "heya"), /exited with code 1$/);
      await until(() => logs.some(({ text }) => text.includes("failed to send request: no responders")));
      assert.equal(await ask(it, `${name}.kv`, "again"), "again");
    });
  });
}

test("a WebAssembly function's calls count against the node's limits, and a service can be switched off", async () => {
  await using limited = await startTestNode({
    nats: it.nats,
    configuration: {
      host_services: {
        services: {
          kv: { enabled: true, config: { max_calls_per_invocation: 5, max_body_bytes: 1000 } },
          objectstore: { enabled: false },
        },
      },
    },
  });
  const logs = await collectLogs(limited.connection);
  await deploy(limited, "limited", await readFile(join(examples, "hostservices-c", "hostservices.wasm")));
  const reasons = {
    "limited.kv": ["heya", "get: more than 5 calls in one invocation"],
    "limited.objectstore": ["heya", "put: No such host service: objectstore"],
  } as const;
  for (const [subject, [payload, reason]] of Object.entries(reasons)) {
    assert.equal(await ask(limited, subject, payload), "wasm function exited with code 1");
    await until(() => logs.some(({ text }) => text === reason));
  }
  assert.equal(await ask(limited, "limited.kv", "x".repeat(1001)), "wasm function exited with code 1");
  await until(() =>
    logs.some(({ text }) => text === "set: the body of 1001 bytes exceeds the limit of 1000 bytes"),
  );
  assert.equal(
    await ask(limited, "limited.http", "heya"),
    "wasm function exited with code 1",
    "no loopback address is allowed on this node",
  );
});

test("examples/wasm/hostservices-c builds from its source and works", { skip: noCompiler }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "nex-test-build-"));
  try {
    const built = join(directory, "hostservices.wasm");
    await promisify(execFile)(join(examples, "hostservices-c", "build.sh"), [built]);
    await deploy(it, "built", await readFile(built));
    assert.equal(await ask(it, "built.kv", "heya"), "heya");
    assert.match(await ask(it, "built.http", "heya"), /^201 .* heya$/);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("the program of docs/webassembly.md builds and works", { skip: noCompiler }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "nex-test-build-"));
  try {
    const document = await readFile(join(examples, "..", "..", "docs", "webassembly.md"), "utf8");
    const source = join(directory, "greeting.c");
    await writeFile(source, /```c\n([^]*?)```/.exec(document)?.[1] ?? "");
    const built = join(directory, "greeting.wasm");
    const argv = ["--target=wasm32-wasi", "-Os", "-I", join(examples, "include"), "-o", built, source];
    await promisify(execFile)("clang", argv);
    const logs = await collectLogs(it.connection);
    await deploy(it, "greeting", await readFile(built));
    assert.equal(await ask(it, "greeting.a", ""), "wasm function exited with code 1");
    await until(() => logs.some(({ text }) => text === "key not found (404)"));
    const bucket = await new Kvm(it.connection).open("hs_default_greeting_kv");
    await bucket.put("greeting", "Hello");
    assert.equal(await ask(it, "greeting.a", ""), "Hello");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
