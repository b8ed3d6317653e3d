/**
 * The agent: runs one workload in its life, on behalf of the node at the other end of its link.
 *
 *   start ──► handshake ──► waiting ──► deploying ──► running ──► ended
 *
 * E1 every request of the node is answered, within its time: deploys also when they fail, triggers also when the
 *    function does (protocol.md 17.4)
 * E2 a refused or failed deploy leaves the agent waiting, with nothing behind; the node decides about its end
 * E3 the end of a native workload is reported once, as `workload_undeployed` with its exit code
 */
import { encodeAgentDeployReply, parseAgentDeploy } from "../agent-api/agent-deploy.ts";
import type { AgentDeployRequest } from "../agent-api/agent-deploy.ts";
import { encodeAgentEvent } from "../agent-api/agent-event.ts";
import { AGENT_LOG_SOURCE } from "../agent-api/agent-log.ts";
import type { AgentLogLevel } from "../agent-api/agent-log.ts";
import { agentSubjects } from "../agent-api/agent-subjects.ts";
import { encodeHandshake, parseHandshakeReply } from "../agent-api/handshake.ts";
import type { BlockingCalls } from "../agent-api/blocking-calls.ts";
import type { Link, LinkMessage, LinkReply } from "../agent-api/link.ts";
import { encodeTriggerReply, sendable, triggerSubject } from "../agent-api/trigger.ts";
import type { TriggerReply } from "../agent-api/trigger.ts";
import { NexError, errorText } from "../lib/errors.ts";
import { LogQueue } from "./log-queue.ts";
import { startWorkload } from "./start-workload.ts";
import type { RunningWorkload, WorkloadExit } from "./workload.ts";

/** How long an interrupted workload has before it is killed (protocol.md 8.3). */
const STOP_GRACE_MS = 5000;
/** How long the last log lines have to leave before the end is reported. */
const LAST_LOG_MS = 1000;
/** Longer than protocol.md's 500: an emulated machine on a busy host takes that long to read an answer. */
const HANDSHAKE_TRY_MS = 5000;
const HANDSHAKE_MS = 30_000;

export interface AgentOptions {
  readonly id: string;
  readonly link: Link;
  /** Undefined where the agent has no channel for them. */
  readonly blockingCalls: BlockingCalls | undefined;
  /** Where the artifact of a native workload is written; exists, and is removed by the caller. */
  readonly directory: string;
  /** Whether the workload has a machine of its own. Then programs are checked before they run (protocol.md 8.1). */
  readonly sandboxed: boolean;
  /** Ends this process at once: the engine of a function can no longer be trusted. */
  readonly onFatal: (reason: string) => void;
}

type AgentState =
  | { readonly kind: "waiting" }
  | { readonly kind: "deploying" }
  | { readonly kind: "running"; readonly request: AgentDeployRequest; readonly workload: RunningWorkload }
  | { readonly kind: "ended" };

export class Agent {
  readonly #options: AgentOptions;
  readonly #logs: LogQueue;
  #state: AgentState = { kind: "waiting" };

  constructor(options: AgentOptions) {
    this.#options = options;
    const { link, id } = options;
    this.#logs = new LogQueue({ link, subject: agentSubjects.logs(id) });
    link.handle(agentSubjects.deploy(id), async ({ body }) => this.#deploy(body));
    link.handle(agentSubjects.undeploy(id), () => this.#undeploy());
    link.handle(agentSubjects.ping(id), () => ({ body: new TextEncoder().encode("OK") }));
    link.handle(agentSubjects.trigger(id), (message) => this.#trigger(message));
  }

  /**
   * Makes itself known to the node; retried for 5 s, as the node may not listen yet.
   *
   * @throws {NexError} `LINK_NO_RESPONDERS`, `LINK_TIMEOUT` or `LINK_CLOSED`
   */
  async handshake(message: string): Promise<void> {
    const { link, id } = this.#options;
    const body = encodeHandshake({ id, startTime: new Date(), message });
    const deadline = Date.now() + HANDSHAKE_MS;
    for (;;) {
      try {
        const reply = await link.request(agentSubjects.handshake(id), body, { timeoutMs: HANDSHAKE_TRY_MS });
        parseHandshakeReply(reply.body);
        return;
      } catch (error) {
        if (Date.now() >= deadline || (error instanceof NexError && error.code === "LINK_CLOSED"))
          throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Ends the workload, if there is one, and takes no other. */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "ended" };
    if (state.kind !== "running") return;
    await state.workload.stop(STOP_GRACE_MS);
    await this.#logs.drain(LAST_LOG_MS);
  }

  async #deploy(body: Uint8Array): Promise<LinkReply> {
    const parsed = parseAgentDeploy(body);
    if (parsed.kind === "refused") return refusal(parsed.message);
    if (this.#state.kind !== "waiting") return refusal("this agent has a workload already");
    const { request } = parsed;
    this.#state = { kind: "deploying" };
    try {
      const workload = await startWorkload({
        request,
        id: this.#options.id,
        link: this.#options.link,
        blockingCalls: this.#options.blockingCalls,
        directory: this.#options.directory,
        sandboxed: this.#options.sandboxed,
        log: (level, text) => this.#log(request.workload_name, level, text),
        onFatal: this.#options.onFatal,
      });
      this.#state = { kind: "running", request, workload };
      void workload.exit.then(async (exit) => this.#ended(request, exit));
    } catch (error) {
      this.#state = { kind: "waiting" };
      this.#log(AGENT_LOG_SOURCE, "error", `Workload ${request.workload_name} failed to deploy`);
      return refusal(errorText(error));
    }
    this.#log(AGENT_LOG_SOURCE, "info", `Workload ${request.workload_name} deployed`);
    this.#publishEvent("workload_deployed", { workload_name: request.workload_name, code: 0 });
    return { body: encodeAgentDeployReply({ accepted: true, message: "Workload deployed" }) };
  }

  /** Answers at once; the workload ends meanwhile, and its end is reported as an event (E3). */
  #undeploy(): LinkReply {
    const state = this.#state;
    if (state.kind === "running") {
      void state.workload.stop(STOP_GRACE_MS).then(async () => {
        // A function has no exit of its own to report.
        if (state.workload.invoke !== undefined) await this.#ended(state.request, { code: 0 });
      });
    }
    return {};
  }

  #trigger(message: LinkMessage): LinkReply | Promise<LinkReply> {
    const state = this.#state;
    if (state.kind !== "running" || state.workload.invoke === undefined) {
      return encodeTriggerReply({ kind: "failed", message: "this agent has no function", runtimeNs: 0 });
    }
    const outcome = state.workload.invoke(triggerSubject(message), message.body);
    const encode = (reply: TriggerReply): LinkReply => encodeTriggerReply(sendable(message, reply));
    return outcome instanceof Promise ? outcome.then(encode) : encode(outcome);
  }

  async #ended({ workload_name: name }: AgentDeployRequest, { code, reason }: WorkloadExit): Promise<void> {
    if (this.#state.kind === "running") this.#state = { kind: "ended" };
    this.#log(AGENT_LOG_SOURCE, code === 0 ? "info" : "error", `Workload ${name} exited`);
    await this.#logs.drain(LAST_LOG_MS);
    this.#publishEvent("workload_undeployed", {
      workload_name: name,
      code,
      message: `Exited workload: ${name}; vm: ${this.#options.id}; status: ${code}${reason === undefined ? "" : `; ${reason}`}`,
    });
  }

  #log(source: string, level: AgentLogLevel, text: string): void {
    this.#logs.push({ source, level, text });
  }

  #publishEvent(type: string, data: Readonly<Record<string, unknown>>): void {
    const { id, link } = this.#options;
    link.publish(agentSubjects.event(id, type), encodeAgentEvent({ type, source: id, data }));
  }
}

function refusal(message: string): LinkReply {
  return { body: encodeAgentDeployReply({ accepted: false, message }) };
}
