/**
 * The node's end of one agent: its sandbox and its link, from the handshake to the end.
 *
 * G1 a session exists only after a good handshake of this very agent
 * G2 `lost` resolves once, when the agent can no longer be relied on: its process ended, its link broke, or it missed
 *    `MISSED_PINGS` pings in a row. Not after a `stop`
 * G3 whatever an agent sends, it is checked here; the rest of the node sees typed notices only
 */
import { encodeAgentDeploy, parseAgentDeployReply } from "../agent-api/agent-deploy.ts";
import { parseAgentEvent, parseWorkloadEventData } from "../agent-api/agent-event.ts";
import { AGENT_LOG_SOURCE, parseAgentLog, workloadLogLevel } from "../agent-api/agent-log.ts";
import type { WorkloadLogLevel } from "../agent-api/agent-log.ts";
import { agentSubjects, parseRpcSubject } from "../agent-api/agent-subjects.ts";
import type { RpcSubject } from "../agent-api/agent-subjects.ts";
import { serveArtifact } from "../agent-api/artifact.ts";
import type { Link, LinkMessage, LinkReply } from "../agent-api/link.ts";
import { encodeRpcResult, rpcTimeoutMs } from "../agent-api/rpc.ts";
import { parseTriggerReply, triggerHeaders } from "../agent-api/trigger.ts";
import { answerHostServiceCall, NO_SERVICES } from "../host-services/host/host-services.ts";
import type { WorkloadServices } from "../host-services/host/host-services.ts";
import { NexError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/logger.ts";
import type { Sandbox, SandboxExit } from "../sandbox/sandbox.ts";
import type { NodeConfiguration } from "./configuration.ts";
import { rejectionText } from "./deploy-steps.ts";
import { MAX_IN_FLIGHT } from "./invocation-queue.ts";
import type { DeployedWorkload } from "./machine.ts";
import type { TriggerOutcome } from "./triggers.ts";

const NOTHING = new Uint8Array(0);
const PING_INTERVAL_MS = 5000;
const MISSED_PINGS = 3;
/** Fetching a large artifact and compiling it take time; an agent that is gone is noticed by `lost`. */
const DEPLOY_TIMEOUT_MS = 10_000;
const UNDEPLOY_TIMEOUT_MS = 500;
const EXIT_FOLLOWS_MS = 1000;
/** A machine that ran out of memory takes its time to end. */
const LAST_WORDS_PER_ANSWER = 4;
/** The agent ends every invocation by itself; this only bounds an agent gone silent. */
const SILENCE_MS = 20_000;

/** What an agent tells about its workload. */
export type AgentNotice =
  | {
      readonly kind: "log";
      readonly level: WorkloadLogLevel;
      readonly text: string;
      /** Said by the agent, not by the workload. */
      readonly isOfAgent: boolean;
    }
  | { readonly kind: "exited"; readonly code: number; readonly message: string };

export interface AgentSession {
  readonly id: string;
  /**
   * Hands the workload over; the agent fetches the artifact in chunks.
   *
   * @throws {NexError} `AGENT_REFUSED` with the agent's reason, or why it could not be asked
   */
  deploy(deployed: DeployedWorkload, artifact: Uint8Array): Promise<void>;
  /** What the workload may call from now on. Nothing before. */
  serve(services: WorkloadServices): void;
  /** Runs the function once. Never rejects. */
  readonly trigger: (subject: string, payload: Uint8Array) => Promise<TriggerOutcome>;
  /** False from the moment the link to it has ended. */
  readonly isReachable: boolean;
  /** Asks the agent to end its workload and waits, at most `graceMs`, until it reports the end. */
  undeploy(graceMs: number): Promise<void>;
  /**
   * Ends link and sandbox: everything in it is gone when this resolves. Idempotent; a later call with a shorter grace
   * brings the kill forward.
   */
  stop(graceMs: number): Promise<SandboxExit>;
  /** Why the agent was lost (G2). */
  readonly lost: Promise<string>;
}

export interface AgentSessionOptions {
  readonly sandbox: Sandbox;
  readonly link: Link;
  /** The agent's calls that its only thread waits for; undefined where it has no channel for them. */
  readonly calls: Link | undefined;
  readonly pingTimeoutMs: number;
  /** How much longer than usual its answers may take: software emulation is slow. Default 0. */
  readonly patienceMs?: number;
  /** Bounds of a function, for the agent. */
  readonly functions: NodeConfiguration["functions"];
  readonly logger: Logger;
  /** A promise holds the agent back: its next log lines come once it has resolved. */
  readonly onNotice: (notice: AgentNotice) => Promise<void> | undefined;
  /** Why the agent ended itself, if it said so before. */
  readonly lastWords: () => string | undefined;
}

/** Takes over a handshaken agent (G1). */
export function createAgentSession(options: AgentSessionOptions): AgentSession {
  return new Session(options);
}

class Session implements AgentSession {
  readonly id: string;
  readonly lost: Promise<string>;
  readonly #options: AgentSessionOptions;
  readonly #ended = Promise.withResolvers<void>();
  readonly #pingTimer: NodeJS.Timeout;
  readonly #patienceMs: number;
  #missedPings = 0;
  #isReachable = true;
  #triggerTimeoutMs = SILENCE_MS;
  #services = NO_SERVICES;
  /** The last host service call's subject, taken apart. */
  #asked: ({ readonly subject: string } & Partial<RpcSubject>) | undefined;
  #stopping: Promise<SandboxExit> | undefined;

  constructor(options: AgentSessionOptions) {
    const { sandbox, link, calls } = options;
    this.#options = options;
    this.id = sandbox.id;
    this.#patienceMs = options.patienceMs ?? 0;
    link.handle(agentSubjects.logs(this.id), ({ body }) => this.#receiveLog(body));
    link.handle(agentSubjects.events(this.id), ({ body }) => this.#receiveEvent(body));
    for (const way of [link, calls])
      way?.handle(agentSubjects.rpcs(this.id), (message) => this.#serve(message));
    const { promise, resolve } = Promise.withResolvers<string>();
    this.lost = promise;
    void sandbox.exit.then((exit) => resolve(describeExit(sandbox, exit, options.lastWords())));
    void link.closed.then((end) => {
      this.#isReachable = false;
      if (end.kind !== "lost") return;
      // The end of the process or machine says more than the end of its link, and follows at once.
      const limitMs = EXIT_FOLLOWS_MS + LAST_WORDS_PER_ANSWER * this.#patienceMs;
      const timer = setTimeout(resolve, limitMs, `agent contact lost: ${end.reason}`);
      void promise.then(() => clearTimeout(timer));
    });
    this.#pingTimer = setInterval(() => void this.#ping(resolve), PING_INTERVAL_MS);
    void promise.then(() => clearInterval(this.#pingTimer));
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  async deploy({ workload, hash, bytes }: DeployedWorkload, artifact: Uint8Array): Promise<void> {
    const { timeout_ms, memory_mib, max_source_bytes } = this.#options.functions;
    this.#triggerTimeoutMs = MAX_IN_FLIGHT * timeout_ms + SILENCE_MS;
    using _served = serveArtifact(this.#options.link, this.id, artifact);
    const request = encodeAgentDeploy({
      namespace: workload.namespace,
      workload_name: workload.name,
      workload_type: workload.type,
      hash,
      total_bytes: bytes,
      environment: workload.environment,
      trigger_subjects: workload.triggerSubjects,
      argv: workload.argv,
      description: workload.description,
      essential: workload.essential,
      fresh: workload.fresh,
      function_limits: { timeout_ms, memory_mib, max_source_bytes },
    });
    const timeoutMs = DEPLOY_TIMEOUT_MS + this.#patienceMs;
    const response = await this.#request(agentSubjects.deploy(this.id), request, timeoutMs);
    const { accepted, message } = parseAgentDeployReply(response);
    if (!accepted) throw new NexError({ code: "AGENT_REFUSED", message: rejectionText(message) });
  }

  serve(services: WorkloadServices): void {
    this.#services = services;
  }

  readonly trigger = async (subject: string, payload: Uint8Array): Promise<TriggerOutcome> => {
    using _invocation = this.#services.invocation();
    try {
      return parseTriggerReply(
        await this.#options.link.request(agentSubjects.trigger(this.id), payload, {
          timeoutMs: this.#triggerTimeoutMs,
          headers: triggerHeaders(subject, this.#services.maxReplyBytes),
        }),
      );
    } catch (error) {
      const isLost =
        error instanceof NexError && error.code === "LINK_CLOSED" && this.#stopping === undefined;
      return { kind: "failed", message: isLost ? await this.lost : errorText(error) };
    }
  };

  async undeploy(graceMs: number): Promise<void> {
    await this.#options.link.request(agentSubjects.undeploy(this.id), NOTHING, {
      timeoutMs: UNDEPLOY_TIMEOUT_MS + this.#patienceMs,
    });
    const { promise: waited, resolve } = Promise.withResolvers<void>();
    // The agent kills after its own grace, so this is a little longer than that.
    const timer = setTimeout(resolve, graceMs + UNDEPLOY_TIMEOUT_MS);
    await Promise.race([this.#ended.promise, this.lost, waited]);
    clearTimeout(timer);
  }

  async stop(graceMs: number): Promise<SandboxExit> {
    clearInterval(this.#pingTimer);
    const { sandbox, link, calls } = this.#options;
    const stopped = sandbox.stop({ graceMs });
    // An agent that waits for an answer sees no signal.
    const freed = calls?.close();
    this.#stopping ??= stopped.then(async (exit) => {
      await Promise.all([link.close(), freed]);
      return exit;
    });
    return this.#stopping;
  }

  async #request(subject: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    try {
      return (await this.#options.link.request(subject, body, { timeoutMs })).body;
    } catch (cause) {
      throw new NexError({
        code: "AGENT_REFUSED",
        message: `failed to submit request for workload deployment: ${errorText(cause)}`,
        cause,
      });
    }
  }

  /** An agent of ours sends part of its lines as requests and waits for the answer before it sends more. */
  #receiveLog(body: Uint8Array): undefined | Promise<undefined> {
    const { level, text, source } = parseAgentLog(body);
    const isOfAgent = source === AGENT_LOG_SOURCE;
    if (isOfAgent) this.#options.logger.debug("Agent says", { workload_id: this.id, text });
    const room = this.#options.onNotice({ kind: "log", level: workloadLogLevel(level), text, isOfAgent });
    return room?.then(() => undefined);
  }

  #receiveEvent(body: Uint8Array): undefined {
    const event = parseAgentEvent(body);
    if (event.type !== "workload_undeployed") return;
    this.#ended.resolve();
    const data = parseWorkloadEventData(event);
    void this.#options.onNotice({ kind: "exited", code: data?.code ?? -1, message: data?.message ?? "" });
  }

  async #serve({ subject, headers, body }: LinkMessage): Promise<LinkReply> {
    if (this.#asked?.subject !== subject) this.#asked = { subject, ...parseRpcSubject(subject) };
    const { service = "", method = "" } = this.#asked;
    return encodeRpcResult(
      await answerHostServiceCall(this.#services.table, {
        service,
        method,
        headers,
        body,
        timeoutMs: rpcTimeoutMs(headers),
      }),
    );
  }

  async #ping(lost: (reason: string) => void): Promise<void> {
    const { link, pingTimeoutMs } = this.#options;
    try {
      await link.request(agentSubjects.ping(this.id), NOTHING, {
        timeoutMs: pingTimeoutMs + this.#patienceMs,
      });
      this.#missedPings = 0;
    } catch (error) {
      // The end of the link is told by itself.
      if (error instanceof NexError && error.code === "LINK_CLOSED") return;
      this.#missedPings += 1;
      if (this.#missedPings >= MISSED_PINGS) lost(`agent contact lost: ${errorText(error)}`);
    }
  }
}

/** How an agent ended, in its own words if it had any. */
export function describeExit(
  { transport }: Sandbox,
  exit: SandboxExit,
  lastWords: string | undefined,
): string {
  if (lastWords !== undefined) return `agent ended itself: ${lastWords}`;
  const what = transport.kind === "network" ? "virtual machine" : "agent";
  switch (exit.kind) {
    case "exited":
      return `${what} exited with code ${exit.code}`;
    case "signaled":
      return `${what} was killed by ${exit.signal}`;
    case "stopped":
      return `${what} was stopped`;
  }
}
