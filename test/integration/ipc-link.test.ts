import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { createIpcLink } from "../../src/agent-api/ipc-link.ts";
import { NexError } from "../../src/lib/errors.ts";
import { describeLinkContract } from "../support/link-contract.ts";
import { startLinkInChild } from "../support/link-in-child.ts";

describeLinkContract("a pipe to a child process", () => {
  const inChild = startLinkInChild();
  const node = createIpcLink(inChild.channel);
  return Promise.resolve({
    node,
    agent: inChild.link,
    synced: inChild.synced,
    [Symbol.asyncDispose]: async () => {
      await node.close();
      await inChild[Symbol.asyncDispose]();
    },
  });
});

describeLinkContract("a stream within the process", () => {
  const [nodeEnd, agentEnd] = duplexPair();
  const [node, agent] = [createIpcLink(nodeEnd), createIpcLink(agentEnd)];
  return Promise.resolve({
    node,
    agent,
    synced: () => Promise.resolve(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([node.close(), agent.close()]);
    },
  });
});

test("Link is lost and fails open requests when the agent is killed", async () => {
  await using inChild = startLinkInChild();
  await using link = createIpcLink(inChild.channel);
  const asked = Promise.withResolvers<void>();
  inChild.link.handle("wait", () => {
    asked.resolve();
    return new Promise<undefined>(() => {});
  });
  await inChild.synced();
  const open = assert.rejects(
    link.request("wait", new Uint8Array(0), { timeoutMs: 60_000 }),
    (error) => error instanceof NexError && error.code === "LINK_CLOSED",
  );
  await asked.promise;
  inChild.child.kill("SIGKILL");
  await open;
  assert.equal((await link.closed).kind, "lost");
});

test("Link is lost when the agent writes garbage, and nothing is thrown", async () => {
  const program =
    "require('fs').writeSync(3, require('crypto').randomFillSync(Buffer.alloc(100000, 255), 4))";
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const channel = child.stdio[3];
  assert.ok(channel instanceof Duplex);
  await using link = createIpcLink(channel);
  const end = await link.closed;
  assert.deepEqual(end, { kind: "lost", reason: "the other side sent what is not a message" });
});
