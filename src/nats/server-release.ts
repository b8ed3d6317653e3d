import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { errorText, NexError } from "../lib/errors.ts";
import { runTool } from "../lib/run-tool.ts";
import type { ServerRelease, SourceContext } from "./server-source.ts";

/** The release we ship with. Sums: the build instructions of the official container image `nats:2.12.15-alpine3.22`. */
export const PINNED_RELEASE: ServerRelease = {
  version: "2.12.15",
  baseUrl: "https://github.com/nats-io/nats-server/releases/download",
  sha256: {
    "linux-amd64": "58ab8131f819263897e2fc38e503e1b755b63bcafeecc7d12582487df48ca15e",
    "linux-arm64": "b724db99fefbf8f5c808baa82819ee50350aee9734017e4a478f7e545cef3ab6",
  },
};

const ANSWER_LIMIT_MS = 5000;
const STALL_LIMIT_MS = 20_000;

/** The name of this machine's platform in release archives, such as `linux-amd64`. */
export function releasePlatform(): string {
  return `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
}

/** Downloads the release's archive, checks its sum and unpacks it. */
export async function releasedServer(context: SourceContext): Promise<string> {
  const { release, directory, signal } = context;
  const platform = releasePlatform();
  const expected = release.sha256[platform];
  if (expected === undefined) throw refused(`no release with a known SHA-256 for ${platform}`);
  const name = `nats-server-v${release.version}-${platform}`;
  const url = `${release.baseUrl}/v${release.version}/${name}.tar.gz`;
  const archive = join(directory, "archive.tar.gz");
  const actual = await download({ url, path: archive, context });
  if (actual !== expected) throw refused(`${url} has SHA-256 ${actual}, expected ${expected}`);
  await runTool({
    program: "tar",
    argv: ["-xzf", archive, "-C", directory, `${name}/nats-server`],
    environment: context.environment,
    timeoutMs: 60_000,
    signal,
  });
  return join(directory, name, "nats-server");
}

interface Download {
  readonly url: string;
  readonly path: string;
  readonly context: SourceContext;
}

/** Stores `url` at `path` and returns its SHA-256; gives up when the host does not answer or stalls. */
async function download({ url, path, context }: Download): Promise<string> {
  const watchdog = new AbortController();
  const giveUp = (reason: string): void => watchdog.abort(refused(`${url}: ${reason}`));
  const signal =
    context.signal === undefined ? watchdog.signal : AbortSignal.any([context.signal, watchdog.signal]);
  const answerLimitMs = context.release.answerLimitMs ?? ANSWER_LIMIT_MS;
  let timer = setTimeout(() => giveUp(`no answer within ${answerLimitMs / 1000} s`), answerLimitMs);
  try {
    context.report(`Downloading nats-server ${context.release.version}`);
    const response = await fetch(url, { signal });
    clearTimeout(timer);
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw refused(`${url} answered ${response.status} ${response.statusText}`);
    }
    timer = setTimeout(() => giveUp(`stalled for ${STALL_LIMIT_MS / 1000} s`), STALL_LIMIT_MS);
    const total = Number(response.headers.get("content-length") ?? 0);
    return await store(response.body, path, (received) => {
      timer.refresh();
      if (total > 0) {
        context.report(
          `Downloading nats-server ${context.release.version}`,
          Math.round((received / total) * 100),
        );
      }
    });
  } catch (error) {
    if (context.signal?.aborted === true) {
      throw new NexError({ code: "ABORTED", message: "Download aborted", cause: error });
    }
    if (error instanceof NexError) throw error;
    throw refused(
      `${url}: ${errorText(error instanceof Error && error.cause !== undefined ? error.cause : error)}`,
      error,
    );
  } finally {
    clearTimeout(timer);
  }
}

async function store(
  body: ReadableStream<Uint8Array>,
  path: string,
  onBytes: (received: number) => void,
): Promise<string> {
  const hash = createHash("sha256");
  await using file = await open(path, "wx", 0o600);
  let received = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    received += chunk.byteLength;
    onBytes(received);
    await file.appendFile(chunk);
  }
  return hash.digest("hex");
}

function refused(reason: string, cause?: unknown): NexError {
  return new NexError({ code: "NATS_SERVER_UNUSABLE", message: reason, cause });
}
