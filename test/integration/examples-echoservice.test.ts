import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { headers } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { z } from "zod";
import { startNats } from "../support/start-nats.ts";
import { cannotRunEchoService, startEchoProcess } from "./examples-echo-process.ts";

const identity = {
  name: z.literal("EchoService"),
  id: z.string().regex(/^[0-9A-Za-z]{22}$/),
  version: z.literal("1.0.0"),
  metadata: z.strictObject({}),
};
const endpoint = { name: z.literal("default"), subject: z.literal("svc.echo"), queue_group: z.literal("q") };
const answers = {
  PING: z.strictObject({ ...identity, type: z.literal("io.nats.micro.v1.ping_response") }),
  INFO: z.strictObject({
    ...identity,
    type: z.literal("io.nats.micro.v1.info_response"),
    description: z.literal(""),
    endpoints: z.tuple([z.strictObject({ ...endpoint, metadata: z.strictObject({}) })]),
  }),
  STATS: z.strictObject({
    ...identity,
    type: z.literal("io.nats.micro.v1.stats_response"),
    started: z.iso.datetime(),
    endpoints: z.tuple([
      z.strictObject({
        ...endpoint,
        num_requests: z.int(),
        num_errors: z.int(),
        last_error: z.string(),
        processing_time: z.int(),
        average_processing_time: z.int(),
      }),
    ]),
  }),
};

async function discover<V extends keyof typeof answers>(
  nats: NatsConnection,
  verb: V,
  suffix = "",
): Promise<z.output<(typeof answers)[V]>> {
  const reply = await nats.request(`$SRV.${verb}${suffix}`);
  return answers[verb].parse(reply.json()) as z.output<(typeof answers)[V]>;
}

describe("Echo service", { skip: cannotRunEchoService }, () => {
  it("answers with exactly the bytes of the request, from none to max_payload", async () => {
    await using server = await startNats({ jetstream: false });
    await using echo = startEchoProcess({ NATS_URL: server.url });
    assert.equal(await echo.serving, `Echo service using NATS url '${server.url}'\nStarting echo service`);
    const nats = await server.connect();
    const most = nats.info?.max_payload ?? 0;
    assert.equal(most, 1024 * 1024);
    for (const size of [0, 1, 2, 4095, 65_536, 65_537, most - 1, most]) {
      const payload = randomBytes(size);
      const reply = await nats.request("svc.echo", payload);
      assert.ok(payload.equals(reply.data), `${size} bytes come back`);
    }
  });

  it("answers a request with headers with its body alone", async () => {
    await using server = await startNats({ jetstream: false });
    await using echo = startEchoProcess({ NATS_URL: server.url });
    await echo.serving;
    const nats = await server.connect();
    const fields = headers();
    fields.set("Nats-Msg-Id", "7");
    fields.set("long", "x".repeat(10_000));
    for (const body of ["", "body\r\nMSG svc.echo 1 r 3\r\nabc\r\n"]) {
      const reply = await nats.request("svc.echo", body, { headers: fields, timeout: 5000 });
      assert.equal(reply.string(), body);
      assert.equal(reply.headers, undefined);
    }
  });

  it("is visible to service discovery in every form, with true figures", async () => {
    await using server = await startNats({ jetstream: false });
    await using echo = startEchoProcess({ NATS_URL: server.url });
    await echo.serving;
    const nats = await server.connect();
    const { id } = await discover(nats, "PING");
    for (const suffix of ["", ".EchoService", `.EchoService.${id}`]) {
      assert.equal((await discover(nats, "PING", suffix)).id, id);
      assert.equal((await discover(nats, "INFO", suffix)).id, id);
      assert.equal((await discover(nats, "STATS", suffix)).id, id);
    }
    const [before] = (await discover(nats, "STATS")).endpoints;
    assert.deepEqual(
      [
        before.num_requests,
        before.num_errors,
        before.last_error,
        before.processing_time,
        before.average_processing_time,
      ],
      [0, 0, "", 0, 0],
    );

    for (let count = 0; count < 5; count++) await nats.request("svc.echo", "x");
    nats.publish("svc.echo", "nobody waits");
    nats.publish("$SRV.STATS");
    const [after] = (await discover(nats, "STATS")).endpoints;
    assert.deepEqual([after.num_requests, after.num_errors], [6, 1]);
    assert.match(after.last_error, /does not have a reply/);
    assert.ok(after.processing_time > 0);
    assert.equal(after.average_processing_time, Math.floor(after.processing_time / 6));
  });

  it("shares the requests between two instances, each with its own id", async () => {
    await using server = await startNats({ jetstream: false });
    await using first = startEchoProcess({ NATS_URL: server.url });
    await using second = startEchoProcess({ NATS_URL: server.url });
    await Promise.all([first.serving, second.serving]);
    const nats = await server.connect();
    const pings = await nats.requestMany("$SRV.PING", "", {
      strategy: "count",
      maxMessages: 2,
      maxWait: 5000,
    });
    const ids: string[] = [];
    for await (const ping of pings) ids.push(answers.PING.parse(ping.json()).id);
    assert.equal(new Set(ids).size, 2);

    for (let count = 0; count < 50; count++) await nats.request("svc.echo", "x");
    let requests = 0;
    for (const id of ids) {
      const [endpoint] = (await discover(nats, "STATS", `.EchoService.${id}`)).endpoints;
      requests += endpoint.num_requests;
    }
    assert.equal(requests, 50);
  });

  it("answers many requests at once, small and large mixed", async () => {
    await using server = await startNats({ jetstream: false });
    await using echo = startEchoProcess({ NATS_URL: server.url });
    await echo.serving;
    const nats = await server.connect();
    const replies = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const payload = Buffer.alloc(index % 50 === 0 ? 300_000 : index, `${index} `);
        const reply = await nats.request("svc.echo", payload, { timeout: 20_000 });
        return payload.equals(reply.data);
      }),
    );
    assert.deepEqual(new Set(replies), new Set([true]));
  });

  it("comes back as the same service when its server restarts", async () => {
    await using server = await startNats({ jetstream: false });
    await using echo = startEchoProcess({ NATS_URL: server.url });
    await echo.serving;
    const before = await server.connect();
    await before.request("svc.echo", "1");
    const { id } = await discover(before, "PING");
    await before.close();

    await server.stop();
    await echo.stderrLine(/^Lost the connection to nats:\/\/127\.0\.0\.1:\d+: /);
    await server.start();
    await echo.stderrLine(/^Serving again on /);
    const after = await server.connect();
    assert.equal((await after.request("svc.echo", "2")).string(), "2");
    const stats = await discover(after, "STATS");
    assert.deepEqual([stats.id, stats.endpoints[0].num_requests], [id, 2]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`answers what is on its way and ends with 0 on ${signal}`, async () => {
      await using server = await startNats({ jetstream: false });
      await using echo = startEchoProcess({ NATS_URL: server.url });
      await echo.serving;
      const nats = await server.connect();
      const replies = Array.from({ length: 500 }, () =>
        nats.request("svc.echo", "x".repeat(2000), { timeout: 20_000 }),
      );
      await nats.flush();
      echo.kill(signal);
      const settled = await Promise.allSettled(replies);
      assert.deepEqual(new Set(settled.map(({ status }) => status)), new Set(["fulfilled"]));
      const { code, stderr } = await echo.exit;
      assert.deepEqual([code, stderr], [0, ""]);
      await assert.rejects(nats.request("svc.echo", "x"), /no responders/);
    });
  }

  it("ends with 0 on SIGTERM while its server is away", async () => {
    await using server = await startNats({ jetstream: false });
    await using echo = startEchoProcess({ NATS_URL: server.url });
    await echo.serving;
    await server.stop();
    await echo.stderrLine(/^Lost the connection/);
    echo.kill("SIGTERM");
    assert.equal((await echo.exit).code, 0);
  });

  it("logs in with the user and password of its URL, and shows neither", async () => {
    const configText = 'authorization { user: "u@ser", password: "p:/ss\\"wörd" }';
    await using server = await startNats({ jetstream: false, configText });
    const withUser = server.url.replace(
      "//",
      `//${encodeURIComponent("u@ser")}:${encodeURIComponent('p:/ss"wörd')}@`,
    );
    await using echo = startEchoProcess({ NATS_URL: withUser });
    assert.equal(await echo.serving, `Echo service using NATS url '${server.url}'\nStarting echo service`);
    const nats = await server.connect({ user: "u@ser", pass: 'p:/ss"wörd' });
    assert.equal((await nats.request("svc.echo", "hey")).string(), "hey");

    await using refused = startEchoProcess({ NATS_URL: server.url.replace("//", "//u%40ser:secretive@") });
    const { code, stdout, stderr } = await refused.exit;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^Cannot serve on nats:\/\/127\.0\.0\.1:\d+: the server says 'Authorization Violation'$/,
    );
    assert.doesNotMatch(stdout + stderr, /secretive|u%40ser|u@ser/);
  });

  it("logs in with the token of its URL", async () => {
    await using server = await startNats({
      jetstream: false,
      configText: 'authorization { token: "s3cr3t" }',
    });
    await using echo = startEchoProcess({ NATS_URL: server.url.replace("//", "//s3cr3t@") });
    assert.equal(await echo.serving, `Echo service using NATS url '${server.url}'\nStarting echo service`);
    const nats = await server.connect({ token: "s3cr3t" });
    assert.equal((await nats.request("svc.echo", "hey")).string(), "hey");
  });

  it("ends with 1 when the server does not let it subscribe", async () => {
    const configText = `authorization { users: [ { user: a, password: b, permissions: { subscribe: ["other"] } } ] }`;
    await using server = await startNats({ jetstream: false, configText });
    await using echo = startEchoProcess({ NATS_URL: server.url.replace("//", "//a:b@") });
    const { code, stderr } = await echo.exit;
    assert.equal(code, 1);
    assert.match(stderr, /Permissions Violation for Subscription/);
  });

  it("takes host names and lists, and passes over a server that is not there", async () => {
    await using gone = await startNats({ jetstream: false });
    await using server = await startNats({ jetstream: false });
    await gone.stop();
    const list = `nats://u:p@127.0.0.1:${gone.port}, localhost:${server.port}`;
    await using echo = startEchoProcess({ NATS_URL: list });
    assert.match(await echo.serving, new RegExp(`'nats://127.0.0.1:${gone.port},localhost:${server.port}'`));
    const nats = await server.connect();
    assert.equal((await nats.request("svc.echo", "hey")).string(), "hey");
  });
});
