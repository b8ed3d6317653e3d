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
export async function attempt<T>(text: string, signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } catch (cause) {
    if (cause instanceof ServiceFailure) throw cause;
    throw new ServiceFailure(500, `${text}: ${reasonOf(cause)}`, cause);
  } finally {
    signal.removeEventListener("abort", abort);
  }
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
