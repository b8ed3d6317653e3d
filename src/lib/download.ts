/**
 * Downloads over HTTP(S), for files whose SHA-256 is known.
 *
 * O1 the file appears under its name only when it is whole and has the expected sum
 * O2 what arrived before a connection broke or an abort stays beside it as `{path}.part` and is gone on with, in this
 *    call (`tries`) or in a later one
 * O3 a sum that differs is tried once more from the start where some of the bytes were old; then it is an error and nothing
 *    is left
 * O4 a host that does not answer, or stops sending, is given up
 */
import { createHash } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { NexError, errorText } from "./errors.ts";

/** What to download. */
export interface DownloadOptions {
  readonly url: string;
  /** Where the file is put. Its directory exists. */
  readonly path: string;
  /** Hex SHA-256 that it must have. */
  readonly sha256: string;
  /** `total` is 0 where the host does not tell. Both in bytes. */
  readonly onProgress?: (received: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** How often a broken connection is gone on with, the first try included. Default 3. */
  readonly tries?: number;
  /** Default 5000. */
  readonly answerLimitMs?: number;
  /** Default 20000. */
  readonly stallLimitMs?: number;
}

const RETRY_WAIT_MS = 250;

/**
 * Downloads a file (O1 to O4).
 *
 * @throws {NexError} `DOWNLOAD_FAILED` with the reason, `ABORTED`
 */
export async function download(options: DownloadOptions): Promise<void> {
  const part = `${options.path}.part`;
  const expected = options.sha256.toLowerCase();
  const resumed = await receive(options, part);
  let actual = await sumOf(part);
  if (actual !== expected && resumed) {
    await rm(part, { force: true });
    await receive(options, part);
    actual = await sumOf(part);
  }
  if (actual !== expected) {
    await rm(part, { force: true });
    throw failed(options.url, `its SHA-256 is ${actual}, expected ${expected}`);
  }
  await rename(part, options.path);
}

/** One try to fetch what is missing. `resumed`: bytes of an earlier try are part of the file. */
type Attempt =
  | { readonly kind: "received"; readonly resumed: boolean }
  /** Further tries would get the same answer. */
  | { readonly kind: "refused"; readonly reason: string };

/** Fetches until the host says that it was all; whether old bytes are part of it. */
async function receive(options: DownloadOptions, part: string): Promise<boolean> {
  const { url, signal, tries = 3 } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      const outcome = await receiveOnce(options, part);
      if (outcome.kind === "refused") throw failed(url, outcome.reason);
      return outcome.resumed || attempt > 1;
    } catch (error) {
      if (signal?.aborted === true) {
        throw new NexError({ code: "ABORTED", message: "Download aborted", cause: signal.reason });
      }
      if (attempt >= tries || error instanceof NexError) throw asFailure(url, error);
      await delay(RETRY_WAIT_MS * attempt, undefined, { ...(signal && { signal }) }).catch(() => {});
    }
  }
}

async function receiveOnce(options: DownloadOptions, part: string): Promise<Attempt> {
  await using file = await open(part, "a+", 0o600);
  const { size: have } = await file.stat();
  using limit = startLimit(options);
  const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
  const response = await fetch(options.url, { signal: limit.signal, headers });
  limit.answered();
  if (response.status === 416 && have > 0) {
    // Nothing is left to send, or the file has become another one: the sum tells.
    await response.body?.cancel();
    return { kind: "received", resumed: true };
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    return { kind: "refused", reason: `the host answered ${response.status} ${response.statusText}` };
  }
  const resumed = response.status === 206 && startOf(response) === have;
  if (!resumed) await file.truncate(0);
  const start = resumed ? have : 0;
  const length = Number(response.headers.get("content-length") ?? 0);
  await store(response.body, file, (received) => {
    limit.moved();
    options.onProgress?.(start + received, length === 0 ? 0 : start + length);
  });
  return { kind: "received", resumed };
}

async function store(
  body: ReadableStream<Uint8Array>,
  file: FileHandle,
  onBytes: (received: number) => void,
): Promise<void> {
  let received = 0;
  for await (const chunk of body) {
    await file.appendFile(chunk);
    received += chunk.byteLength;
    onBytes(received);
  }
}

/** First byte of a partial answer. */
function startOf(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? -1);
}

/** Aborts when the host does not answer or stalls (O4). */
function startLimit({ signal, answerLimitMs = 5000, stallLimitMs = 20_000 }: DownloadOptions) {
  const controller = new AbortController();
  const after = (limitMs: number, reason: string): NodeJS.Timeout =>
    setTimeout(() => controller.abort(new Error(`${reason} ${limitMs / 1000} s`)), limitMs);
  let timer = after(answerLimitMs, "the host did not answer within");
  return {
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    answered: () => {
      clearTimeout(timer);
      timer = after(stallLimitMs, "the host sent nothing for");
    },
    moved: () => void timer.refresh(),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

async function sumOf(path: string): Promise<string> {
  await using file = await open(path, "r");
  const hash = createHash("sha256");
  for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function asFailure(url: string, error: unknown): NexError {
  if (error instanceof NexError) return error;
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return failed(url, errorText(cause), error);
}

function failed(url: string, reason: string, cause?: unknown): NexError {
  return new NexError({ code: "DOWNLOAD_FAILED", message: `Cannot download ${url}: ${reason}`, cause });
}
