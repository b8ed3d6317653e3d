// Agents come and go, and the others do not notice.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connectNetworkLink } from "../../src/agent/network-link.ts";
import type { Link } from "../../src/agent-api/link.ts";
import { NexError } from "../../src/lib/errors.ts";
import type { InternalAgent, InternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import { connectBare, describeInternalNats, startTestInternalNats } from "../support/internal-nats.ts";
import { until } from "../support/until.ts";

const NOTHING = new Uint8Array(0);
const LONG_MS = 60_000;

function linkOf(nats: InternalNats, id: string, { nkeySeed }: InternalAgent): Promise<Link> {
  return connectNetworkLink({ id, host: nats.host, port: nats.port, nkeySeed });
}

await describeInternalNats((authentication) => {
  test("an agent's requests, either way, never fail while 20 others are added and removed", async () => {
    await using nats = await startTestInternalNats(authentication);
    await using first = await nats.addAgent("first");
    await using agent = await linkOf(nats, "first", first);
    agent.handle("agentint.first.ping", ({ body }) => ({ body }));
    first.link.handle("hostint.first.logs", ({ body }) => ({ body }));
    const errors: unknown[] = [];
    const done = new AbortController();
    let count = 0;
    const ask = async (link: Link, subject: string): Promise<void> => {
      while (!done.signal.aborted) {
        try {
          await link.request(subject, NOTHING, { timeoutMs: 5000 });
          count += 1;
        } catch (error) {
          errors.push(error);
        }
      }
    };
    const asking = [
      ...Array.from({ length: 4 }, () => ask(first.link, "agentint.first.ping")),
      ...Array.from({ length: 4 }, () => ask(agent, "hostint.first.logs")),
    ];
    for (let index = 0; index < 20; index += 1) {
      const id = `other${index}`;
      const other = await nats.addAgent(id);
      await using link = await linkOf(nats, id, other);
      await link.request(`hostint.${id}.none`, NOTHING, { timeoutMs: LONG_MS }).catch(() => {});
      if (index % 2 === 0) await other[Symbol.asyncDispose]();
    }
    done.abort();
    await Promise.all(asking);
    assert.deepEqual(errors, []);
    assert.ok(count > 100, `only ${count} requests were made meanwhile`);
  });

  test("an agent too slow to introduce itself before others are added gets in all the same", async () => {
    await using nats = await startTestInternalNats(authentication);
    const slow = await nats.addAgent("slow");
    let connections = 0;
    const relay = createServer((client) => {
      connections += 1;
      const server = createConnection(nats.port, nats.host);
      server.pipe(client);
      if (connections > 1) client.pipe(server);
      // The first connection says nothing before the other agent was added, for which a reload drops it.
      else
        void once(server, "data").then(async () => {
          await nats.addAgent("other");
          client.pipe(server);
        });
      for (const socket of [client, server]) socket.on("error", () => {});
    });
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
    const { port } = relay.address() as AddressInfo;
    const link = await connectNetworkLink({
      id: "slow",
      host: "127.0.0.1",
      port,
      nkeySeed: slow.nkeySeed,
    });
    assert.equal(connections, authentication === "reload" ? 2 : 1);
    await link.close();
    relay.close();
  });

  test("a reply that is in flight while others are added and removed arrives, either way", async () => {
    await using nats = await startTestInternalNats(authentication);
    await using first = await nats.addAgent("first");
    await using agent = await linkOf(nats, "first", first);
    const gate = Promise.withResolvers<undefined>();
    let asked = 0;
    const wait = (): Promise<undefined> => {
      asked += 1;
      return gate.promise;
    };
    agent.handle("agentint.first.trigger", wait);
    first.link.handle("hostint.first.logs", wait);
    const replies = Promise.all([
      first.link.request("agentint.first.trigger", NOTHING, { timeoutMs: LONG_MS }),
      agent.request("hostint.first.logs", NOTHING, { timeoutMs: LONG_MS }),
    ]);
    await until(() => asked === 2);
    const second = await nats.addAgent("second");
    await second[Symbol.asyncDispose]();
    gate.resolve(undefined);
    await replies;
  });

  test("an added agent can connect at once; those of one moment share a reload, if there is one", async () => {
    await using nats = await startTestInternalNats(authentication);
    const reloads = (): number =>
      nats.log.filter(({ fields }) => String(fields["line"]).startsWith("Reloaded server configuration"))
        .length;
    const ids = Array.from({ length: 30 }, (_, index) => `agent${index}`);
    const agents = await Promise.all(ids.map(async (id) => nats.addAgent(id)));
    assert.equal(reloads(), authentication === "reload" ? 1 : 0);
    const links = await Promise.all(
      agents.map(async (agent, index) => linkOf(nats, ids[index] ?? "", agent)),
    );
    await Promise.all(agents.map(async (agent) => agent[Symbol.asyncDispose]()));
    assert.ok(reloads() <= (authentication === "reload" ? 3 : 0), `${reloads()} reloads`);
    for (const link of links) assert.equal((await link.closed).kind, "lost");
  });

  test("disposing an agent ends its connection and makes its id free again", async () => {
    await using nats = await startTestInternalNats(authentication);
    const first = await nats.addAgent("agent");
    const bare = await connectBare(nats, first.nkeySeed);
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    await bare.closed();
    assert.deepEqual(await first.link.closed, { kind: "closed" });
    await using again = await nats.addAgent("agent");
    assert.notEqual(again.nkeySeed, first.nkeySeed);
  });

  test("a node's link is lost with LINK_CLOSED once the agent's connection is gone without a word", async () => {
    await using nats = await startTestInternalNats(authentication);
    await using agent = await nats.addAgent("agent");
    const bare = await connectBare(nats, agent.nkeySeed);
    bare.subscribe("agentint.agent.>", { callback: () => {} });
    const heard = Promise.withResolvers<void>();
    agent.link.handle("hostint.agent.handshake", () => {
      heard.resolve();
      return undefined;
    });
    bare.publish("hostint.agent.handshake");
    await heard.promise;
    const open = assert.rejects(
      agent.link.request("agentint.agent.trigger", NOTHING, { timeoutMs: LONG_MS }),
      { code: "LINK_CLOSED" },
    );
    await bare.close();
    // As the pings of a session do.
    await until(async () => {
      const ping = agent.link.request("agentint.agent.ping", NOTHING, { timeoutMs: 50 });
      const error: unknown = await ping.catch((cause: unknown) => cause);
      return error instanceof NexError && error.code === "LINK_CLOSED";
    });
    await open;
    assert.deepEqual(await agent.link.closed, { kind: "lost", reason: "the agent's connection ended" });
  });

  test("links are lost and additions refused when the server dies", async () => {
    await using nats = await startTestInternalNats(authentication);
    await using agent = await nats.addAgent("agent");
    await using link = await linkOf(nats, "agent", agent);
    process.kill(nats.pid, "SIGKILL");
    assert.equal((await nats.exit).kind, "signaled");
    for (const end of [agent.link, link]) assert.equal((await end.closed).kind, "lost");
    await assert.rejects(nats.addAgent("late"), { code: "NATS_CONNECTION_LOST" });
  });

  test("an addition under way fails when the server dies", async () => {
    await using nats = await startTestInternalNats(authentication);
    process.kill(nats.pid, "SIGSTOP");
    const adding = nats.addAgent("agent");
    process.kill(nats.pid, "SIGKILL");
    await assert.rejects(adding, { code: /^NATS_(?:CONNECTION_LOST|SERVER_RELOAD_FAILED)$/ });
  });
});
