import { NexError } from "../lib/errors.ts";
import type { LinkHandler } from "./link.ts";

/** Which handler serves a subject: an exact one before patterns, of several patterns the one registered first. */
export class HandlerTable {
  readonly #exact = new Map<string, LinkHandler>();
  readonly #patterns = new Map<
    string,
    { readonly tokens: readonly string[]; readonly handler: LinkHandler }
  >();
  /** What was found last by a pattern: the next message often has the same subject. */
  #last: { readonly subject: string; readonly handler: LinkHandler } | undefined;

  /**
   * Registers a handler until the returned handle is disposed.
   *
   * @throws {NexError} `INTERNAL` when the pattern is malformed or already has a handler
   */
  add(pattern: string, handler: LinkHandler): Disposable {
    const tokens = pattern.split(".");
    if (tokens.some((token, index) => token === "" || (token === ">" && index !== tokens.length - 1))) {
      throw cannotHandle(pattern, "it is not a subject or pattern");
    }
    if (this.#exact.has(pattern) || this.#patterns.has(pattern))
      throw cannotHandle(pattern, "it has a handler already");
    this.#last = undefined;
    const entry = { tokens, handler };
    if (tokens.includes("*") || tokens.includes(">")) this.#patterns.set(pattern, entry);
    else this.#exact.set(pattern, handler);
    let disposed = false;
    return {
      [Symbol.dispose]: () => {
        if (disposed) return;
        disposed = true;
        this.#last = undefined;
        this.#exact.delete(pattern);
        this.#patterns.delete(pattern);
      },
    };
  }

  find(subject: string): LinkHandler | undefined {
    const exact = this.#exact.get(subject);
    if (exact !== undefined || this.#patterns.size === 0) return exact;
    if (this.#last?.subject === subject) return this.#last.handler;
    const tokens = subject.split(".");
    for (const { tokens: pattern, handler } of this.#patterns.values()) {
      if (!matches(pattern, tokens)) continue;
      this.#last = { subject, handler };
      return handler;
    }
    return undefined;
  }
}

function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [index, token] of pattern.entries()) {
    const actual = subject[index];
    if (actual === undefined || actual === "") return false;
    if (token === ">") return true;
    if (token !== "*" && token !== actual) return false;
  }
  return pattern.length === subject.length;
}

function cannotHandle(pattern: string, reason: string): NexError {
  return new NexError({ code: "INTERNAL", message: `Cannot handle "${pattern}": ${reason}` });
}
