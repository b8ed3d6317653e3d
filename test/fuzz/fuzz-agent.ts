import { fileURLToPath } from "node:url";
import { agentSubjects } from "../../src/agent-api/agent-subjects.ts";
import { encodeHandshakeReply } from "../../src/agent-api/handshake.ts";
import { createIpcLink } from "../../src/agent-api/ipc-link.ts";
import type { Link } from "../../src/agent-api/link.ts";
import { encodeAgentMetadata } from "../../src/agent-api/metadata.ts";
import { silentLogger } from "../../src/lib/logger.ts";
import { createProcessDriver } from "../../src/sandbox/process/process-driver.ts";
import { descendantsWith, residentMiB } from "../support/process-status.ts";
import { fuzzedMessage } from "./mutate.ts";
import type { Json } from "./mutate.ts";
import type { FuzzReport } from "./fuzz-control.ts";
import type { RandomSource } from "./random-source.ts";

const AGENT = fileURLToPath(new URL("../../dist/agent.js", import.meta.url));
const BATCH = 200;
const ID = "fuzzedagent0000000000";

/** Sends messages to every subject that a real agent serves; after each batch it must answer a ping. */
export async function fuzzAgent(messages: number, random: RandomSource): Promise<FuzzReport> {
  await using driver = createProcessDriver({
    agentProgram: process.execPath,
    agentArgv: [AGENT],
    logger: silentLogger,
  });
  await using sandbox = await driver.start({
    id: ID,
    metadata: encodeAgentMetadata({ workloadId: ID, sandboxed: false, transport: { kind: "channel" } }),
    resources: { vcpuCount: 1, memoryMiB: 256 },
  });
  if (sandbox.transport.kind !== "channel") throw new Error("the sandbox has no channel");
  await using link = createIpcLink(sandbox.transport.channel);
  const handshake = Promise.withResolvers<void>();
  link.handle(agentSubjects.handshake(ID), () => {
    handshake.resolve();
    return { body: encodeHandshakeReply() };
  });
  link.handle("hostint.>", () => ({ body: random.bytes(100) }));
  await handshake.promise;
  const [pid] = (await descendantsWith(process.pid, AGENT)).toReversed();
  if (pid === undefined) throw new Error("the agent has no process");
  return await shoot(link, { messages, random, pid });
}

async function shoot(
  link: Link,
  {
    messages,
    random,
    pid,
  }: { readonly messages: number; readonly random: RandomSource; readonly pid: number },
): Promise<FuzzReport> {
  const deploy: Json = {
    namespace: "default",
    workload_name: "fuzz",
    workload_type: "v8",
    hash: "0".repeat(64),
    total_bytes: 100,
    environment: { A: "b" },
    trigger_subjects: ["a"],
    argv: [],
    description: "",
    essential: false,
  };
  const kinds: readonly [readonly [string, Json], ...(readonly [string, Json])[]] = [
    [agentSubjects.deploy(ID), deploy],
    [agentSubjects.deploy(ID), { ...deploy, workload_type: "native" }],
    [agentSubjects.trigger(ID), {}],
    [agentSubjects.undeploy(ID), {}],
    [agentSubjects.ping(ID), {}],
    ["agentint.another.deploy", deploy],
  ];
  let replies = 0;
  let before: number | undefined;
  for (let sent = 0; sent < messages; sent += BATCH) {
    const requests = Array.from({ length: Math.min(BATCH, messages - sent) }, async () => {
      const [subject, valid] = random.pick(kinds);
      const body = fuzzedMessage(random, valid);
      if (random.chance(0.5)) {
        link.publish(subject, body);
        return;
      }
      await link.request(subject, body, { timeoutMs: 10_000 }).then(
        () => (replies += 1),
        () => {},
      );
    });
    await Promise.all(requests);
    await link.request(agentSubjects.ping(ID), new Uint8Array(0), { timeoutMs: 10_000 });
    if (sent >= messages / 10) before ??= await residentMiB(pid);
  }
  const after = await residentMiB(pid);
  return { sent: messages, replies, residentBeforeMiB: before ?? after, residentAfterMiB: after };
}
