/**
 * Finds a nats-server, and gets one when there is none: the setting, the search path, our cache, then the pinned
 * official release, a build with Go, Debian's package.
 *
 * B1 each source is tried in turn; when none works, one error names every source with its reason
 * B2 a setting that does not work is an error, never skipped
 * B3 what is downloaded or built enters the cache by one rename: concurrent runs see a whole binary or none
 */
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { errorText, NexError } from "../lib/errors.ts";
import { throwIfAborted } from "../lib/run-tool.ts";
import { debianServer } from "./server-debian.ts";
import { goServer } from "./server-go.ts";
import { cachedServer, configuredServer, serverOnPath } from "./server-local.ts";
import type { FoundServer } from "./server-local.ts";
import { PINNED_RELEASE, releasedServer } from "./server-release.ts";
import type { ServerRelease, SourceContext } from "./server-source.ts";
import { natsServerVersion } from "./server-version.ts";
import { makeTemporaryDirectory } from "../lib/temporary-directory.ts";

/** Where a nats-server came from, in the order in which they are tried. */
export const NATS_SERVER_SOURCES = ["setting", "path", "cache", "release", "go", "debian"] as const;

/** One of {@link NATS_SERVER_SOURCES}. */
type NatsServerSource = (typeof NATS_SERVER_SOURCES)[number];

/** A binary that runs. */
export interface NatsServerBinary extends FoundServer {
  readonly source: NatsServerSource;
}

/** What is going on while a nats-server is downloaded or built. */
export interface NatsServerProgress {
  readonly source: NatsServerSource;
  /** Such as `Downloading nats-server 2.12.15`. */
  readonly message: string;
  /** Of this step, 0 to 100, where it is known. */
  readonly percent?: number;
}

/** Where to look. */
export interface NatsServerSearch {
  /** Path of a binary that must be used. */
  readonly setting?: string | undefined;
  /** The folders of PATH. */
  readonly searchPath: readonly string[];
  /** Where binaries are kept, as `{version}/nats-server`. Made when something is put there. */
  readonly cacheDir: string;
  /** Of the tools that download and build (PATH, HOME, proxies). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Default: all of them. */
  readonly sources?: readonly NatsServerSource[];
  /** What the release source downloads. Default: the pinned official release. */
  readonly release?: ServerRelease;
  readonly onProgress?: (progress: NatsServerProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds or gets a nats-server (B1 to B3).
 *
 * @throws {NexError} `NATS_SERVER_NOT_FOUND`, `NATS_SERVER_UNUSABLE` (the setting), `ABORTED`
 */
export async function findNatsServer(search: NatsServerSearch): Promise<NatsServerBinary> {
  if (search.setting !== undefined && search.setting !== "") {
    return { ...(await configuredServer(search.setting, search.signal)), source: "setting" };
  }
  const reasons: string[] = [];
  for (const source of search.sources ?? NATS_SERVER_SOURCES) {
    throwIfAborted(search.signal);
    try {
      return { ...(await fromSource(source, search)), source };
    } catch (error) {
      if (error instanceof NexError && error.code === "ABORTED") throw error;
      reasons.push(`${source}: ${errorText(error)}`);
    }
  }
  throw new NexError({
    code: "NATS_SERVER_NOT_FOUND",
    message: `Cannot find a nats-server\n${reasons.map((reason) => `  ${reason}`).join("\n")}`,
    hint: "Install nats-server 2.9 or newer (https://nats.io/download) and put it on your PATH, or name its file with NEX_NATS_SERVER",
  });
}

async function fromSource(source: NatsServerSource, search: NatsServerSearch): Promise<FoundServer> {
  const { signal } = search;
  switch (source) {
    case "setting":
      throw new NexError({ code: "NATS_SERVER_UNUSABLE", message: "not set" });
    case "path":
      return serverOnPath(search.searchPath, signal);
    case "cache":
      return cachedServer(search.cacheDir, signal);
    case "release":
      return install(source, search, releasedServer);
    case "go":
      return install(source, search, goServer);
    case "debian":
      return install(source, search, debianServer);
    default:
      return source satisfies never;
  }
}

/** Lets a source make a binary in a directory of its own and moves it into the cache (B3). */
async function install(
  source: NatsServerSource,
  search: NatsServerSearch,
  make: (context: SourceContext) => Promise<string>,
): Promise<FoundServer> {
  await using directory = await makeTemporaryDirectory({ parent: search.cacheDir, prefix: ".install" });
  const made = await make({
    directory: directory.path,
    release: search.release ?? PINNED_RELEASE,
    environment: definedOnly(search.environment),
    report: (message, percent) => {
      search.onProgress?.({ source, message, ...(percent === undefined ? {} : { percent }) });
    },
    signal: search.signal,
  });
  const version = await natsServerVersion(made, search.signal);
  const path = join(search.cacheDir, version, "nats-server");
  await mkdir(join(search.cacheDir, version), { recursive: true });
  await rename(made, path);
  return { path, version };
}

function definedOnly(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
