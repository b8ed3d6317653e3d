/** The time of one call, from when it is made. */
export class CallTime {
  /** When it is over, as `performance.now()` tells. */
  readonly endsAtMs: number;
  readonly #timeoutMs: number;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.endsAtMs = performance.now() + timeoutMs;
  }

  /** Aborted once the time is over. Made when it is first asked for: it costs more than the rest of a quick call. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      this.#timer = setTimeout(() => controller.abort(this.failure()), this.endsAtMs - performance.now());
    }
    return this.#controller.signal;
  }

  /** That there was no answer in time. */
  failure(): Error {
    return new Error(`no answer within ${this.#timeoutMs} ms`);
  }

  /** The call has ended. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
