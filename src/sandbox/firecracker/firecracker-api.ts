import { request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:net";
import { errorText } from "../../lib/errors.ts";

/** A call of Firecracker's API; the body is sent as JSON. */
export interface FirecrackerCall {
  readonly method: "PUT";
  readonly path: string;
  readonly body: object;
}

const CALL_MS = 10_000;
const SOCKET_MS = 3000;
const POLL_MS = 10;
/** Longest answer that is read; Firecracker's errors are a sentence. */
const MAX_ANSWER = 64 * 1024;

/**
 * Makes one call over the API socket.
 *
 * @throws {Error} with Firecracker's own reason (`fault_message`) when it refuses
 */
export async function callFirecracker(
  socketPath: string,
  { method, path, body }: FirecrackerCall,
  signal: AbortSignal,
): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]);
  const payload = JSON.stringify(body);
  const headers = {
    accept: "application/json",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(payload),
  };
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const outgoing = request({ socketPath, method, path, headers, signal: limit }, (incoming) => {
    let text = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (chunk: string) => (text = (text + chunk).slice(0, MAX_ANSWER)));
    incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, text }));
    incoming.on("error", reject);
  });
  outgoing.on("error", reject);
  outgoing.end(payload);
  const answer = await promise.catch((cause: unknown) => {
    throw new Error(`${method} ${path} failed: ${errorText(cause)}`, { cause });
  });
  if (answer.status >= 200 && answer.status < 300) return;
  throw new Error(`${method} ${path} was refused (${answer.status}): ${faultMessage(answer.text)}`);
}

function faultMessage(text: string): string {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === "object" && answer !== null && "fault_message" in answer) {
      return String(answer.fault_message);
    }
  } catch {
    // Not JSON: as it is.
  }
  return text === "" ? "without a reason" : text.slice(0, 1000);
}

/**
 * Waits until somebody listens on the API socket, at most three seconds.
 *
 * @throws {Error} when nobody does, or `signal` fires
 */
export async function untilApiListens(socketPath: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + SOCKET_MS;
  while (!(await accepts(socketPath))) {
    if (performance.now() > deadlineMs) throw new Error(`there is no API socket after ${SOCKET_MS} ms`);
    await delay(POLL_MS, undefined, { signal });
  }
}

function accepts(socketPath: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(socketPath);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
