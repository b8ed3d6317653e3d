import { randomBytes } from "node:crypto";

/** Most tokens of one machine that are good at the same time; the oldest goes first. */
const MOST_TOKENS = 64;

/** The session tokens of one machine. */
export class MetadataTokens {
  readonly #expiryMs = new Map<string, number>();

  issue(lifetimeSeconds: number, nowMs = performance.now()): string {
    const [oldest] = this.#expiryMs.keys();
    if (oldest !== undefined && this.#expiryMs.size >= MOST_TOKENS) this.#expiryMs.delete(oldest);
    const token = randomBytes(32).toString("base64url");
    this.#expiryMs.set(token, nowMs + lifetimeSeconds * 1000);
    return token;
  }

  isGood(token: string, nowMs = performance.now()): boolean {
    const expiryMs = this.#expiryMs.get(token);
    if (expiryMs === undefined) return false;
    if (nowMs < expiryMs) return true;
    this.#expiryMs.delete(token);
    return false;
  }
}
