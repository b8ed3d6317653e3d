import type { RequestOptions } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { METADATA_SERVICE, parseMachineMetadata } from "../agent-api/machine-metadata.ts";
import type { ToldMetadata } from "../agent-api/machine-metadata.ts";
import { NexError, errorText } from "../lib/errors.ts";

export interface MetadataServiceOptions {
  /** Default: the address that every virtual machine monitor answers at. */
  readonly url?: string;
  /** How long to try. Default 5000. */
  readonly limitMs?: number;
}

/**
 * How long one answer may take. Protocol.md gives a Go agent 50 ms; an emulated machine needs longer for its first
 * connection alone, while a host that does not answer yet costs us little: it refuses, and the next try follows at once.
 */
const TRY_MS = 1000;
const PAUSE_MS = 50;
const MAX_BYTES = 64 * 1024;

/**
 * Asks the metadata service, version 2, who this machine is. Tried again until it answers: the host may store the document
 * only after the machine has started, and the machine's own network may take a moment.
 *
 * @throws {NexError} `AGENT_METADATA_INVALID`
 */
export async function fetchMachineMetadata(options: MetadataServiceOptions = {}): Promise<ToldMetadata> {
  const { url = METADATA_SERVICE, limitMs = 5000 } = options;
  const limit = performance.now() + limitMs;
  for (;;) {
    try {
      return parseMachineMetadata(await fetchDocument(url));
    } catch (cause) {
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

async function fetchDocument(url: string): Promise<Uint8Array> {
  const token = await ask(`${url}/latest/api/token`, {
    method: "PUT",
    headers: { "X-metadata-token-ttl-seconds": "60", "Content-Length": "0" },
  });
  return ask(`${url}/`, {
    headers: { Accept: "application/json", "X-metadata-token": token.toString("latin1").trim() },
  });
}

/** The body of an answer with status 200. */
async function ask(url: string, options: RequestOptions): Promise<Buffer> {
  // Not at the top: in the agent's one file that would load it in every agent.
  const { request } = await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const signal = AbortSignal.timeout(TRY_MS);
  // No agent: a kept connection would hold this process, and the token is good on any.
  const sent = request(url, { ...options, agent: false, signal }, (response) => {
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
