import type { Sandbox, SandboxSpec } from "./sandbox.ts";
import { startAborted, startFailed } from "./start-failure.ts";

/** What a driver has started and is starting; dispose gives up the starts and stops the rest. */
export class RunningSandboxes implements AsyncDisposable {
  readonly #closing = new AbortController();
  readonly #sandboxes = new Set<Sandbox>();
  readonly #starting = new Set<Promise<unknown>>();

  /**
   * Runs one start; `signal` fires when the caller or the driver gives it up.
   *
   * @throws what `start` throws, and `SANDBOX_START_FAILED` for an id with other characters than letters and digits
   */
  async start(
    { id }: SandboxSpec,
    caller: AbortSignal | undefined,
    start: (signal: AbortSignal) => Promise<Sandbox>,
  ): Promise<Sandbox> {
    const signal = AbortSignal.any([this.#closing.signal, ...(caller === undefined ? [] : [caller])]);
    if (signal.aborted) throw startAborted(id, signal);
    if (!/^[A-Za-z0-9]+$/.test(id))
      throw startFailed(id, "its id has other characters than letters and digits");
    const starting = start(signal);
    this.#starting.add(starting);
    try {
      const sandbox = await starting;
      this.#sandboxes.add(sandbox);
      void sandbox.exit.then(() => this.#sandboxes.delete(sandbox));
      return sandbox;
    } finally {
      this.#starting.delete(starting);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox.stop()));
  }
}
