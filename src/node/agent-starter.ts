import { encodeHandshakeReply, parseHandshake } from "../agent-api/handshake.ts";
import { agentSubjects } from "../agent-api/agent-subjects.ts";
import type { Link } from "../agent-api/link.ts";
import { NexError } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { Sandbox, SandboxOutput } from "../sandbox/sandbox.ts";
import type { AgentHost } from "./agent-host.ts";
import { createAgentSession, describeExit } from "./agent-session.ts";
import type { AgentSession } from "./agent-session.ts";
import type { NodeConfiguration } from "./configuration.ts";
import type { StartAgent } from "./machine-pool.ts";

/** A machine that is slow to boot is slow to answer, too. */
const ANSWERS_PER_BOOT = 5;
const SLOW_HINT =
  "On a busy host agents start slowly, and machines without KVM most of all: agent_handshake_timeout_ms gives them more time";

export interface AgentStarterOptions {
  readonly host: AgentHost;
  readonly configuration: NodeConfiguration;
  readonly logger: Logger;
}

/** Starts agents: sandbox, link, handshake. What a failed start made is gone when it rejects. */
export function createAgentStarter({ host, configuration, logger }: AgentStarterOptions): StartAgent {
  const { driver } = host;
  return async (id, { signal, onNotice }): Promise<AgentSession> => {
    await using stack = new AsyncDisposableStack();
    let lastWords: string | undefined;
    const onOutput = (output: SandboxOutput): void => {
      lastWords = wordsOf(output) ?? lastWords;
      logOutput(logger, id, output);
    };
    const prepared = stack.use(await host.prepare(id));
    const { vcpu_count: vcpuCount, memsize_mib: memoryMiB } = configuration.machine_template;
    const spec = { id, metadata: prepared.metadata, resources: { vcpuCount, memoryMiB } };
    const sandbox = stack.use(await driver.start(spec, { signal, onOutput }));
    const link = stack.use(prepared.openLink(sandbox));
    const calls = prepared.openCalls(sandbox);
    if (calls !== undefined) stack.use(calls);
    await handshake({
      id,
      sandbox,
      link,
      logger,
      signal,
      timeoutMs: Math.max(configuration.agent_handshake_timeout_ms, driver.bootTimeMs ?? 0),
      lastWords: () => lastWords,
    });
    stack.move();
    void sandbox.exit.then(async () => prepared[Symbol.asyncDispose]());
    return createAgentSession({
      sandbox,
      link,
      calls,
      pingTimeoutMs: configuration.agent_ping_timeout_ms,
      patienceMs: (driver.bootTimeMs ?? 0) / ANSWERS_PER_BOOT,
      functions: configuration.functions,
      logger,
      onNotice,
      lastWords: () => lastWords,
    });
  };
}

/** What an agent says of itself, such as why it ends: on stderr, or on the console of its machine. */
function wordsOf({ line }: SandboxOutput): string | undefined {
  const prefix = "nex-agent: ";
  return line.startsWith(prefix) ? line.slice(prefix.length) : undefined;
}

async function handshake(parts: {
  readonly id: string;
  readonly sandbox: Sandbox;
  readonly link: Link;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly lastWords: () => string | undefined;
}): Promise<void> {
  const { id, sandbox, link, logger, signal, timeoutMs, lastWords } = parts;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // For as long as the link: an agent that missed the answer asks again.
  link.handle(agentSubjects.handshake(id), ({ body }) => {
    const { id: agentId, message } = parseHandshake(body);
    if (agentId !== id)
      throw new NexError({ code: "AGENT_LOST", message: "the handshake is of another agent" });
    logger.debug("Received agent handshake", { agent_id: id, message });
    resolve();
    return { body: encodeHandshakeReply() };
  });
  const fail = (reason: string, hint?: string): void =>
    reject(
      new NexError({
        code: "AGENT_LOST",
        message: `Cannot start agent "${id}": ${reason}`,
        ...(hint === undefined ? {} : { hint }),
      }),
    );
  const timer = setTimeout(() => fail(`no handshake within ${timeoutMs} ms`, SLOW_HINT), timeoutMs);
  const aborted = (): void => fail("the node is shutting down");
  signal.addEventListener("abort", aborted, { once: true });
  void sandbox.exit.then((exit) =>
    fail(`it ended before its handshake (${describeExit(sandbox, exit, lastWords())})`),
  );
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
