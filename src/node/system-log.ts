import { subjects } from "../control-api/subjects.ts";
import type { LogLevel } from "../lib/logger.ts";
import type { Outbox } from "./outbox.ts";

/** Lines that are kept until the node is connected. */
const MAX_EARLY_LINES = 1000;

/**
 * The node's own log on NATS (protocol.md 3.4): finished lines as they are, on `$NEX.logs.system.{node}.stdout`, errors on
 * `….stderr`. Lines from before the node is connected are kept; what NATS does not take is dropped and counted.
 */
export class SystemLog {
  #early: (readonly [string, LogLevel])[] = [];
  #publish: ((line: string, level: LogLevel) => boolean) | undefined;
  #dropped = 0;

  /** Takes a line without line end. Never throws. */
  readonly write = (line: string, level: LogLevel): void => {
    if (this.#publish === undefined) {
      if (this.#early.length < MAX_EARLY_LINES) this.#early.push([line, level]);
      else this.#dropped += 1;
      return;
    }
    if (this.#tellDropped() && this.#publish(line, level)) return;
    this.#dropped += 1;
  };

  /** From now on lines leave through `outbox`, those from before first. */
  attach(outbox: Outbox, nodeId: string): void {
    const encoder = new TextEncoder();
    this.#publish = (line, level) =>
      outbox.publish(subjects.nodeLog(nodeId, level === "error" ? "stderr" : "stdout"), encoder.encode(line));
    for (const [line, level] of this.#early.splice(0)) this.write(line, level);
  }

  #tellDropped(): boolean {
    if (this.#dropped === 0) return true;
    const told = this.#publish?.(`… ${this.#dropped} lines dropped`, "warn") === true;
    if (told) this.#dropped = 0;
    return told;
  }
}
