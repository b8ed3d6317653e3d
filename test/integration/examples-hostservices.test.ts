// The examples of the guide's "Host Services", each on a real node with real services behind it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { collectLogs } from "../support/collect-events.ts";
import { startTestNode } from "../support/start-test-node.ts";
import type { TestNode } from "../support/start-test-node.ts";
import { until } from "../support/until.ts";

const examples = join(dirname(dirname(import.meta.dirname)), "examples", "js", "hostservices");
let it: TestNode;

before(async () => {
  it = await startTestNode({
    configuration: {
      machine_pool_size: 2,
      host_services: {
        services: {
          http: { enabled: true, config: { allow: ["127.0.0.1"] } },
          kv: { enabled: true },
          objectstore: { enabled: true },
          messaging: { enabled: true, config: { request_timeout_ms: 4900 } },
        },
      },
    },
  });
});
after(async () => it[Symbol.asyncDispose]());

/** Deploys an example and calls it once. */
async function run(name: string, payload: string, environment: Record<string, string> = {}): Promise<string> {
  await it.deploy({
    name,
    artifact: await readFile(join(examples, `${name}.js`)),
    workloadType: "v8",
    triggerSubjects: [`hs.${name}`],
    environment,
  });
  const reply = await it.connection.request(`hs.${name}`, payload, { timeout: 9000 });
  assert.equal(reply.headers?.get("Nats-Service-Error") ?? "", "");
  return reply.string();
}

describe("examples/js/hostservices", () => {
  test("http.js makes a request with every method", async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        seen.push(`${request.method ?? ""} ${body}`);
        response.setHeader("Content-Type", "text/plain").end(`${request.method ?? ""} says ${body}`);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const reply: unknown = JSON.parse(await run("http", "heya", { URL: `http://127.0.0.1:${port}/` }));
      assert.deepEqual(reply, {
        get: "GET says ",
        type: "text/plain",
        post: "POST says heya",
        status: [200, 200, 200, 200, 200, 200],
      });
      assert.deepEqual(seen, ["GET ", "POST heya", "PUT heya", "PATCH heya", "DELETE ", "HEAD "]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("kv.js keeps one value and deletes the other", async () => {
    const logs = await collectLogs(it.connection);
    assert.equal(await run("kv", "heya"), "heya");
    await until(() => logs.some(({ text }) => text === 'keys: [ "hello2" ]'));
  });

  test("objectstore.js keeps one object and deletes the other", async () => {
    const logs = await collectLogs(it.connection);
    assert.equal(await run("objectstore", "heya"), "heya");
    await until(() => logs.some(({ text }) => text === "hello2 4"));
  });

  test("messaging.js publishes, asks one and asks many", async () => {
    const published: string[] = [];
    const { connection } = it;
    connection.subscribe("hello.world", { callback: (_, message) => void published.push(message.string()) });
    connection.subscribe("hello.world.request", {
      callback: (_, message) => void message.respond(`one ${message.string()}`),
    });
    for (const name of ["a", "b"]) {
      connection.subscribe("hello.world.request.many", {
        callback: (_, message) => void message.respond(`${name} ${message.string()}`),
      });
    }
    await connection.flush();
    const { request, requestMany } = JSON.parse(await run("messaging", "heya")) as {
      readonly request: string;
      readonly requestMany: readonly string[];
    };
    assert.equal(request, "one heya");
    assert.deepEqual(requestMany.toSorted(), ["a heya", "b heya"]);
    await until(() => published.length > 0);
    assert.deepEqual(published, ["heya"]);
  });
});
