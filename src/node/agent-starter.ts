import { encodeHandshakeReply, parseHandshake } from "../agent-api/handshake.ts";
import { agentSubjects } from "../agent-api/agent-subjects.ts";
import { createIpcLink } from "../agent-api/ipc-link.ts";
import type { Link } from "../agent-api/link.ts";
import { encodeAgentMetadata } from "../agent-api/metadata.ts";
import { NexError } from "../lib/errors.ts";
import { limitLogger } from "../lib/limited-logger.ts";
import type { Logger } from "../lib/logger.ts";
import type { Sandbox, SandboxDriver, SandboxOutput } from "../sandbox/sandbox.ts";
import { createAgentSession } from "./agent-session.ts";
import type { AgentSession } from "./agent-session.ts";
import type { NodeConfiguration } from "./configuration.ts";
import type { StartAgent } from "./workload-manager.ts";

/** An agent that sends nonsense cannot flood the node's log. */
const LINK_LOG_LIMIT = { lines: 20, perMs: 10_000 };

export interface AgentStarterOptions {
  readonly driver: SandboxDriver;
  readonly configuration: NodeConfiguration;
  readonly logger: Logger;
}

/** Starts agents: sandbox, link, handshake. What a failed start made is gone when it rejects. */
export function createAgentStarter({ driver, configuration, logger }: AgentStarterOptions): StartAgent {
  return async (id, { signal, onNotice }): Promise<AgentSession> => {
    await using stack = new AsyncDisposableStack();
    let lastWords: string | undefined;
    const onOutput = (output: SandboxOutput): void => {
      lastWords = wordsOf(output) ?? lastWords;
      logOutput(logger, id, output);
    };
    const sandbox = stack.use(
      await driver.start(
        {
          id,
          metadata: encodeAgentMetadata({
            workloadId: id,
            sandboxed: driver.isolation === "virtual-machine",
            transport: { kind: "channel" },
          }),
          resources: {
            vcpuCount: configuration.machine_template.vcpu_count,
            memoryMiB: configuration.machine_template.memsize_mib,
          },
        },
        { signal, onOutput },
      ),
    );
    const link = stack.use(openLink(sandbox, logger));
    const calls = openCalls(sandbox, logger);
    if (calls !== undefined) stack.use(calls);
    await handshake({
      id,
      sandbox,
      link,
      logger,
      signal,
      timeoutMs: configuration.agent_handshake_timeout_ms,
    });
    stack.move();
    return createAgentSession({
      sandbox,
      link,
      calls,
      pingTimeoutMs: configuration.agent_ping_timeout_ms,
      logger,
      onNotice,
      lastWords: () => lastWords,
    });
  };
}

/** What an agent says of itself on stderr, such as why it ends. */
function wordsOf({ stream, line }: SandboxOutput): string | undefined {
  const prefix = "nex-agent: ";
  return stream === "stderr" && line.startsWith(prefix) ? line.slice(prefix.length) : undefined;
}

function openLink(sandbox: Sandbox, logger: Logger): Link {
  switch (sandbox.transport.kind) {
    case "channel":
      return createIpcLink(sandbox.transport.channel, { logger: limitLogger(logger, LINK_LOG_LIMIT) });
    case "network":
      throw new NexError({
        code: "SANDBOX_UNAVAILABLE",
        message: "Cannot reach an agent over the network: this version has no internal NATS server",
      });
  }
}

/** Where the agent's calls come that it waits for; only host services are served there. */
function openCalls({ transport }: Sandbox, logger: Logger): Link | undefined {
  if (transport.kind !== "channel" || transport.calls === undefined) return undefined;
  return createIpcLink(transport.calls, { logger: limitLogger(logger, LINK_LOG_LIMIT) });
}

async function handshake(parts: {
  readonly id: string;
  readonly sandbox: Sandbox;
  readonly link: Link;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}): Promise<void> {
  const { id, sandbox, link, logger, signal, timeoutMs } = parts;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  using _handler = link.handle(agentSubjects.handshake(id), ({ body }) => {
    const { id: agentId, message } = parseHandshake(body);
    if (agentId !== id)
      throw new NexError({ code: "AGENT_LOST", message: "the handshake is of another agent" });
    logger.debug("Received agent handshake", { agent_id: id, message });
    resolve();
    return { body: encodeHandshakeReply() };
  });
  const fail = (reason: string): void =>
    reject(new NexError({ code: "AGENT_LOST", message: `Cannot start agent "${id}": ${reason}` }));
  const timer = setTimeout(() => fail(`no handshake within ${timeoutMs} ms`), timeoutMs);
  const aborted = (): void => fail("the node is shutting down");
  signal.addEventListener("abort", aborted, { once: true });
  void sandbox.exit.then((exit) => fail(`it ended before its handshake (${exit.kind})`));
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", aborted);
  }
}

function logOutput(logger: Logger, id: string, { stream, line }: SandboxOutput): void {
  const fields = { group: id, from_agent: true };
  if (stream === "stderr") logger.error(line, fields);
  else logger.info(line, fields);
}
