import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { errorText, NexError } from "../lib/errors.ts";
import { compareVersions, natsServerVersion } from "./server-version.ts";

/** A nats-server that runs. */
export interface FoundServer {
  /** Absolute path of the binary. */
  readonly path: string;
  /** Such as `2.12.15`. */
  readonly version: string;
}

/**
 * The binary that the user named.
 *
 * @throws {NexError} `NATS_SERVER_UNUSABLE`
 */
export async function configuredServer(setting: string, signal?: AbortSignal): Promise<FoundServer> {
  const path = resolve(setting);
  try {
    return { path, version: await natsServerVersion(path, signal) };
  } catch (error) {
    if (!(error instanceof NexError) || error.code !== "NATS_SERVER_UNUSABLE") throw error;
    const hint = "Correct the path of the nats-server, or leave it out to have one found";
    throw new NexError({ code: error.code, message: error.message, hint, cause: error });
  }
}

/** The first `nats-server` in `folders` that runs and is new enough. */
export async function serverOnPath(folders: readonly string[], signal?: AbortSignal): Promise<FoundServer> {
  const absolute = [...new Set(folders)].filter((folder) => isAbsolute(folder));
  const paths = absolute.map((folder) => join(folder, "nats-server"));
  return firstUsable(paths, `no nats-server in the ${absolute.length} folders of PATH`, signal);
}

/** The newest binary in our cache that runs. */
export async function cachedServer(cacheDir: string, signal?: AbortSignal): Promise<FoundServer> {
  const names = await readdir(cacheDir).catch((): string[] => []);
  const versions = names
    .filter((name) => /^\d+\.\d+\.\d+/.test(name))
    .sort((left, right) => compareVersions(right, left));
  const paths = versions.map((version) => join(cacheDir, version, "nats-server"));
  return firstUsable(paths, `"${cacheDir}" holds none`, signal);
}

async function firstUsable(
  paths: readonly string[],
  none: string,
  signal?: AbortSignal,
): Promise<FoundServer> {
  const reasons: string[] = [];
  for (const path of paths) {
    if (!(await isExecutableFile(path))) continue;
    try {
      return { path, version: await natsServerVersion(path, signal) };
    } catch (error) {
      if (error instanceof NexError && error.code === "ABORTED") throw error;
      reasons.push(errorText(error));
    }
  }
  throw new NexError({
    code: "NATS_SERVER_UNUSABLE",
    message: reasons.length === 0 ? none : reasons.join("; "),
  });
}

async function isExecutableFile(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
