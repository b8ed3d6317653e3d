import type { RequestOptions } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { METADATA_SERVICE, parseMachineMetadata } from "../agent-api/machine-metadata.ts";
import type { ToldMetadata } from "../agent-api/machine-metadata.ts";
import { NexError, errorText } from "../lib/errors.ts";

export interface MetadataServiceOptions {
  /** Default: the address that every virtual machine monitor answers at. */
  readonly url?: string;
  /** How long to try. Default 30000: protocol.md's 5000 pass in an emulated machine on a busy host. */
  readonly limitMs?: number;
}

/**
 * How long one answer may take at first, and at most: each try that got none gives the next one twice the time. Protocol.md
 * gives a Go agent 50 ms; an emulated machine on a busy host needs seconds for its first connection alone, while a host that
 * does not answer yet costs us little: it refuses, and the next try follows at once.
 */
const TRY_MS = { first: 1000, most: 10_000 };
const PAUSE_MS = 50;
const MAX_BYTES = 64 * 1024;

/**
 * Asks the metadata service, version 2, who this machine is. Tried again until it answers: the host may store the document
 * only after the machine has started, and the machine's own network may take a moment.
 *
 * @throws {NexError} `AGENT_METADATA_INVALID`
 */
export async function fetchMachineMetadata(options: MetadataServiceOptions = {}): Promise<ToldMetadata> {
  const { url = METADATA_SERVICE, limitMs = 30_000 } = options;
  const limit = performance.now() + limitMs;
  let tryMs = TRY_MS.first;
  for (;;) {
    const started = performance.now();
    try {
      return parseMachineMetadata(await fetchDocument(url, tryMs));
    } catch (cause) {
      if (performance.now() - started >= tryMs) tryMs = Math.min(2 * tryMs, TRY_MS.most);
      if (performance.now() + PAUSE_MS >= limit) {
        throw new NexError({
          code: "AGENT_METADATA_INVALID",
          message: `failed to obtain metadata after ${limitMs}ms: ${errorText(cause)}`,
          cause,
        });
      }
    }
    await delay(PAUSE_MS);
  }
}

async function fetchDocument(url: string, tryMs: number): Promise<Uint8Array> {
  const token = await ask(`${url}/latest/api/token`, {
    method: "PUT",
    headers: { "X-metadata-token-ttl-seconds": "60", "Content-Length": "0" },
    signal: AbortSignal.timeout(tryMs),
  });
  return ask(`${url}/`, {
    headers: { Accept: "application/json", "X-metadata-token": token.toString("latin1").trim() },
    signal: AbortSignal.timeout(tryMs),
  });
}

/** The body of an answer with status 200. */
async function ask(url: string, options: RequestOptions): Promise<Buffer> {
  // Not at the top: in the agent's one file that would load it in every agent.
  const { request } = await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  // No agent: a kept connection would hold this process, and the token is good on any.
  const sent = request(url, { ...options, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) sent.destroy(new Error("the answer is too large"));
      chunks.push(chunk);
    });
    response.on("error", reject);
    response.on("end", () => {
      if (response.statusCode === 200) resolve(Buffer.concat(chunks));
      else reject(new Error(`${options.method ?? "GET"} ${url} was answered with ${response.statusCode}`));
    });
  });
  sent.on("error", reject);
  sent.end();
  return promise;
}
