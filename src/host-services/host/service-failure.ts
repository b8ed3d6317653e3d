import { NexError, errorText } from "../../lib/errors.ts";

/** A call that a host service refuses or cannot do; the function gets status and text. */
export class ServiceFailure extends NexError {
  /** 400 a malformed call, 403 not allowed, 404 missing, 413 too large, 429 too many calls, 500 anything else. */
  readonly status: number;

  constructor(status: number, message: string, cause?: unknown) {
    super({ code: "HOST_SERVICE_FAILED", message, cause });
    this.name = "ServiceFailure";
    this.status = status;
  }
}

/**
 * Waits for a part of a call, at most until its time is over.
 *
 * @throws {ServiceFailure} 500 with `text` and the reason; a failure that names itself passes unchanged
 */
export function attempt<T>(text: string, signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      signal.removeEventListener("abort", abort);
      const known = cause instanceof ServiceFailure;
      reject(known ? cause : new ServiceFailure(500, `${text}: ${reasonOf(cause)}`, cause));
    };
    const abort = (): void => fail(signal.reason);
    work.then((result) => {
      signal.removeEventListener("abort", abort);
      resolve(result);
    }, fail);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

/** @throws {ServiceFailure} 413 */
export function requireSize(what: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new ServiceFailure(413, `${what} of ${bytes} bytes exceeds the limit of ${maxBytes} bytes`);
}

/** The text of a failure of the NATS client or of a socket. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const text = errorText(error);
  return /^timeout$/i.test(text) ? "no answer in time" : text;
}
