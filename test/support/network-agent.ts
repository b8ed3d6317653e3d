import { createHash } from "node:crypto";
import { encodeAgentDeploy, parseAgentDeployReply } from "../../src/agent-api/agent-deploy.ts";
import { parseAgentEvent } from "../../src/agent-api/agent-event.ts";
import { parseAgentLog } from "../../src/agent-api/agent-log.ts";
import { agentSubjects } from "../../src/agent-api/agent-subjects.ts";
import { serveArtifact } from "../../src/agent-api/artifact.ts";
import { encodeHandshakeReply, parseHandshake } from "../../src/agent-api/handshake.ts";
import { encodeAgentMetadata } from "../../src/agent-api/metadata.ts";
import type { InternalAgent, InternalNats } from "../../src/internal-nats/start-internal-nats.ts";
import { startProcess } from "../../src/lib/managed-process.ts";
import type { ManagedProcess } from "../../src/lib/managed-process.ts";
import { AGENT_PROGRAM } from "./agent-program.ts";

/** A real agent that reached its node over the internal NATS server, as in a virtual machine of its own. */
export interface NetworkAgent extends AsyncDisposable {
  readonly added: InternalAgent;
  readonly process: ManagedProcess;
  readonly logs: readonly string[];
  /** Types and data of its events. */
  readonly events: readonly (readonly [type: string, data: unknown])[];
  /** Hands it a workload; the agent's answer. */
  deploy(type: "native" | "v8", artifact: Uint8Array): Promise<{ accepted: boolean; message: string }>;
}

/** Starts an agent; resolves after its handshake. */
export async function startNetworkAgent(nats: InternalNats, id: string): Promise<NetworkAgent> {
  await using stack = new AsyncDisposableStack();
  const added = stack.use(await nats.addAgent(id));
  const { link } = added;
  const handshake = Promise.withResolvers<void>();
  link.handle(agentSubjects.handshake(id), ({ body }) => {
    if (parseHandshake(body).id === id) handshake.resolve();
    return { body: encodeHandshakeReply() };
  });
  const logs: string[] = [];
  link.handle(agentSubjects.logs(id), ({ body }) => {
    logs.push(parseAgentLog(body).text);
    return undefined;
  });
  const events: (readonly [string, unknown])[] = [];
  link.handle(agentSubjects.events(id), ({ body }) => {
    const { type, data } = parseAgentEvent(body);
    events.push([type, data]);
    return undefined;
  });
  const { host, port } = nats;
  const agent = stack.use(
    await startProcess({
      program: process.execPath,
      argv: [AGENT_PROGRAM],
      environment: encodeAgentMetadata({
        workloadId: id,
        sandboxed: true,
        transport: { kind: "network", host, port, nkeySeed: added.nkeySeed },
      }),
      stdio: ["ignore", "inherit", "inherit"],
    }),
  );
  await handshake.promise;
  // It has seen the answer to its handshake when it sees this.
  await link.request(agentSubjects.ping(id), new Uint8Array(0), { timeoutMs: 30_000 });
  const resources = stack.move();
  return {
    added,
    process: agent,
    logs,
    events,
    async deploy(type, artifact) {
      using _served = serveArtifact(link, id, artifact);
      const request = encodeAgentDeploy({
        namespace: "default",
        workload_name: "test",
        workload_type: type,
        hash: createHash("sha256").update(artifact).digest("hex"),
        total_bytes: artifact.length,
        environment: {},
        trigger_subjects: type === "v8" ? ["test.in"] : [],
        argv: [],
        description: "",
        essential: false,
      });
      const { body } = await link.request(agentSubjects.deploy(id), request, { timeoutMs: 30_000 });
      const { accepted, message } = parseAgentDeployReply(body);
      return { accepted, message: message ?? "" };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
