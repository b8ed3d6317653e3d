import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectNetworkLink } from "../../src/agent/network-link.ts";
import { startInternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import type { InternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import { silentLogger } from "../../src/lib/logger.ts";
import { describeLinkContract } from "../support/link-contract.ts";
import type { LinkPair } from "../support/link-pair.ts";
import { testNatsServer } from "../support/start-nats.ts";
import { shortSubjects } from "../support/subject-link.ts";

const MIB = 1024 * 1024;
const LONG_MS = 60_000;
let nats: InternalNats;
let lastPair = 0;

before(async () => {
  nats = await startInternalNats({
    binary: await testNatsServer(),
    host: "127.0.0.1",
    logger: silentLogger,
  });
});
after(async () => nats[Symbol.asyncDispose]());

/** Both ends over the real server, with the permissions that agents have. */
async function makePair(): Promise<LinkPair> {
  lastPair += 1;
  const id = `pair${lastPair}`;
  await using stack = new AsyncDisposableStack();
  const added = stack.use(await nats.addAgent(id));
  const { host, port } = nats;
  const agent = stack.use(await connectNetworkLink({ id, host, port, nkeySeed: added.nkeySeed }));
  const [hostSide, agentSide] = [`hostint.${id}.`, `agentint.${id}.`];
  const resources = stack.move();
  return {
    node: shortSubjects(added.link, { served: hostSide, called: agentSide }),
    agent: shortSubjects(agent, { served: agentSide, called: hostSide }),
    // Both ends are subscribed, and handlers need no subscription of their own.
    synced: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describeLinkContract("an internal NATS server", makePair);

test("Link over NATS carries bodies up to 64 MiB and refuses larger ones at once", async () => {
  await using pair = await makePair();
  pair.agent.handle("size", ({ body }) => ({ body: new TextEncoder().encode(String(body.length)) }));
  pair.agent.handle("large", () => ({ body: new Uint8Array(65 * MIB) }));
  const asText = ({ body }: { readonly body: Uint8Array }): string => new TextDecoder().decode(body);
  const ask = pair.node.request("size", new Uint8Array(64 * MIB), { timeoutMs: LONG_MS });
  assert.equal(asText(await ask), String(64 * MIB));
  await assert.rejects(pair.node.request("size", new Uint8Array(64 * MIB + 1), { timeoutMs: LONG_MS }), {
    code: "LINK_MESSAGE_TOO_LARGE",
  });
  const { headers } = await pair.node.request("large", new Uint8Array(0), { timeoutMs: LONG_MS });
  assert.equal(headers["x-nex-error"], "the reply is too large");
});
