/**
 * The workload's log on its way to the node. A workload that floods its output costs neither memory nor the node:
 *
 * Q1 at most `MAX_LINES` lines and `MAX_CHARACTERS` wait. Beyond that lines are dropped, until half of them has left
 * Q2 lines leave in order; where some were dropped, one line in their place says how many
 * Q3 one batch is under way: its last line is a request, and the next batch leaves when the node has answered, at the earliest
 *    `PACE_MS` after the one before. A node that does not answer (a Go node) is only spared by the pace
 */
import { setTimeout as delay } from "node:timers/promises";
import type { AgentLogEntry } from "../agent-api/agent-log.ts";
import { encodeAgentLog } from "../agent-api/agent-log.ts";
import type { Link } from "../agent-api/link.ts";

const MAX_LINES = 32_768;
const MAX_CHARACTERS = 4 * 1024 * 1024;
const BATCH_LINES = 256;
const BATCH_CHARACTERS = 65_536;
const PACE_MS = 25;
const ANSWER_MS = 2000;

export interface LogQueueOptions {
  readonly link: Link;
  /** Where log entries go. */
  readonly subject: string;
}

export class LogQueue {
  readonly #options: LogQueueOptions;
  #waiting: AgentLogEntry[] = [];
  /** The next line to leave; what lies before it has left. */
  #next = 0;
  #characters = 0;
  #dropped = 0;
  /** Who dropped lines last; the line about them is its. */
  #droppedSource = "";
  #sending: Promise<void> | undefined;
  /** Whether the node has ever answered; undefined until it is known. */
  #answers: boolean | undefined;
  #hurried = false;

  constructor(options: LogQueueOptions) {
    this.#options = options;
    void options.link.closed.then(() => this.#forget());
  }

  /** Takes one line. Never blocks, never throws. */
  push(entry: AgentLogEntry): void {
    if (this.#isFull(entry)) {
      this.#dropped += 1;
      this.#droppedSource = entry.source;
      return;
    }
    this.#tellDropped();
    this.#add(entry);
    this.#sending ??= this.#send();
  }

  /** Resolves once all lines have left, or after `limitMs`; from now on without pace. What is left then is dropped. */
  async drain(limitMs: number): Promise<void> {
    this.#hurried = true;
    if (this.#dropped > 0) {
      this.#tellDropped();
      this.#sending ??= this.#send();
    }
    const limit = new AbortController();
    await Promise.race([this.#sending, delay(limitMs, undefined, { signal: limit.signal }).catch(() => {})]);
    limit.abort();
    const left = this.#waiting.slice(this.#next);
    this.#forget();
    const source = left.at(-1)?.source;
    if (source !== undefined) this.#publish({ source, level: "warn", text: droppedText(left.length) });
    this.#hurried = false;
  }

  #isFull({ text }: AgentLogEntry): boolean {
    if (this.#dropped > 0) return !this.#hasRoom();
    return this.#count() >= MAX_LINES || this.#characters + text.length > MAX_CHARACTERS;
  }

  #hasRoom(): boolean {
    return this.#count() <= MAX_LINES / 2 && this.#characters <= MAX_CHARACTERS / 2;
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    this.#add({ source: this.#droppedSource, level: "warn", text: droppedText(this.#dropped) });
    this.#dropped = 0;
  }

  #add(entry: AgentLogEntry): void {
    this.#waiting.push(entry);
    this.#characters += entry.text.length;
  }

  #count(): number {
    return this.#waiting.length - this.#next;
  }

  async #send(): Promise<void> {
    // Lines of the same turn go together.
    await Promise.resolve();
    while (this.#count() > 0) {
      const startedAt = performance.now();
      await this.#sendBatch(this.#takeBatch());
      if (this.#hasRoom()) this.#tellDropped();
      const restMs = PACE_MS - (performance.now() - startedAt);
      if (this.#count() > 0 && !this.#hurried && restMs > 0) await delay(restMs);
    }
    this.#sending = undefined;
  }

  #takeBatch(): AgentLogEntry[] {
    const batch: AgentLogEntry[] = [];
    let characters = 0;
    while (batch.length < BATCH_LINES && characters < BATCH_CHARACTERS) {
      const entry = this.#waiting[this.#next];
      if (entry === undefined) break;
      this.#next += 1;
      characters += entry.text.length;
      batch.push(entry);
    }
    this.#characters -= characters;
    if (this.#next > MAX_LINES / 2 || this.#count() === 0) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return batch;
  }

  async #sendBatch(batch: readonly AgentLogEntry[]): Promise<void> {
    const last = batch.at(-1);
    for (const entry of batch.slice(0, -1)) this.#publish(entry);
    if (last === undefined) return;
    if (this.#answers === false) {
      this.#publish(last);
      return;
    }
    const { link, subject } = this.#options;
    try {
      await link.request(subject, encodeAgentLog(last), { timeoutMs: ANSWER_MS });
      this.#answers = true;
    } catch {
      // The line has arrived all the same, or the link is gone.
      this.#answers ??= false;
    }
  }

  #publish(entry: AgentLogEntry): void {
    this.#options.link.publish(this.#options.subject, encodeAgentLog(entry));
  }

  #forget(): void {
    this.#waiting = [];
    this.#next = 0;
    this.#characters = 0;
    this.#dropped = 0;
  }
}

function droppedText(count: number): string {
  return `… ${count} ${count === 1 ? "line" : "lines"} dropped`;
}
