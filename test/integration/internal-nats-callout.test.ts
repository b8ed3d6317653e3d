// What only holds where the server asks the node whom to let in.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connectNetworkLink } from "../../src/agent/network-link.ts";
import { createSigningKey, signingKeyFromSeed } from "../../src/control-api/keys.ts";
import { CALLOUT_VERSION, calloutCredentials } from "../../src/internal-nats/callout-credentials.ts";
import { silentLogger } from "../../src/lib/logger.ts";
import { compareVersions, natsServerVersion } from "../../src/nats/server-version.ts";
import { startNatsServer } from "../../src/nats/server.ts";
import {
  connectBare,
  connectWith,
  lacksAuthentication,
  startTestInternalNats,
} from "../support/internal-nats.ts";
import { testNatsServer } from "../support/start-nats.ts";

const skip = (await lacksAuthentication("callout")) ?? false;

describe("InternalNats with callout", { timeout: 120_000, skip }, () => {
  test("an agent that nobody answers for is refused, tries again and gets in once somebody does", async () => {
    const agent = createSigningKey("user");
    const method = calloutCredentials(createSigningKey("user").publicKey, silentLogger);
    await using server = await startNatsServer({
      binary: await testNatsServer(),
      // The real limit is a minute.
      configText: method.configText.replace("timeout: 60", "timeout: 2"),
    });
    const clientUrl = server.url;
    const patient = connectNetworkLink({
      id: "agent",
      host: "127.0.0.1",
      port: server.port,
      nkeySeed: agent.seedText(),
    });
    await assert.rejects(connectBare({ clientUrl }, agent.seedText()), /Authorization Violation/i);
    await using credentials = await method.open(server);
    await credentials.add("agent", agent.publicKey);
    await using link = await patient;
    const bare = await connectBare({ clientUrl }, agent.seedText());
    await credentials.remove("agent");
    assert.equal((await link.closed).kind, "lost");
    await bare.closed();
  });

  test("an agent's key is worthless after 64 attempts; what it has connected goes on, and ends with the agent", async () => {
    await using nats = await startTestInternalNats("callout");
    const agent = await nats.addAgent("agent");
    const first = await connectBare(nats, agent.nkeySeed);
    const { publicKey } = signingKeyFromSeed(agent.nkeySeed);
    const unsigned = { authenticator: () => ({ nkey: publicKey, sig: "AAAA" }) };
    for (let attempt = 2; attempt < 64; attempt += 1)
      await assert.rejects(connectWith(nats, unsigned), /Authorization Violation/i);
    const last = await connectBare(nats, agent.nkeySeed);
    await assert.rejects(connectBare(nats, agent.nkeySeed), /Authorization Violation/i);
    for (const connection of [first, last]) await connection.flush();
    await agent[Symbol.asyncDispose]();
    for (const connection of [first, last]) await connection.closed();
  });

  test("a connection ends with its agent, however far it had come when the agent was removed", async () => {
    await using nats = await startTestInternalNats("callout");
    for (let turns = 0; turns < 20; turns += 1) {
      const agent = await nats.addAgent("agent");
      const key = signingKeyFromSeed(agent.nkeySeed);
      const signing = Promise.withResolvers<void>();
      const connecting = connectWith(nats, {
        authenticator: (nonce = "") => {
          signing.resolve();
          const sig = Buffer.from(key.sign(Buffer.from(nonce))).toString("base64url");
          return { nkey: key.publicKey, sig };
        },
      });
      const ended = connecting.then(
        async (connection) => connection.closed(),
        (error: unknown) => error,
      );
      await signing.promise;
      for (let turn = 0; turn < turns; turn += 1) await nextTurn();
      await agent[Symbol.asyncDispose]();
      await ended;
    }
  });
});

test("InternalNats asks at each connection on servers that can, and reloads on others", async () => {
  await using nats = await startTestInternalNats();
  const version = await natsServerVersion(await testNatsServer());
  const expected = compareVersions(version, CALLOUT_VERSION) >= 0 ? "callout" : "reload";
  assert.equal(nats.authentication, expected);
  await assert.rejects(connectWith(nats, {}), /Authorization Violation/i);
});
