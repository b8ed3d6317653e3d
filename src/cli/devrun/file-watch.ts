import { existsSync, realpathSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorText, NexError } from "../../lib/errors.ts";

/** A file under watch. Dispose ends it. */
export interface FileWatch extends Disposable {
  /** Watches these files as well, and no others besides the first. */
  follow(paths: readonly string[]): void;
  /**
   * Resolves after a change since the last call (or since the start), when the file has been left alone for a moment. Rejects
   * when the folder is gone, or with what `signal` was aborted with.
   */
  changed(signal: AbortSignal): Promise<void>;
}

/** Editors and compilers write in several steps. */
const QUIET_MS = 100;

/**
 * Watches a file. It is the folder that is watched, because many editors write a new file and rename it; of a symbolic link
 * also the folder of its target.
 *
 * @throws {NexError} `WORKLOAD_FILE_INVALID` when the folder cannot be watched
 */
export function startFileWatch(path: string): FileWatch {
  const own = [resolve(path), realpathSync(path)];
  let change = Promise.withResolvers<void>();
  change.promise.catch(() => {});
  const watchers = new Map<string, FSWatcher>();
  const add = (file: string): void => {
    if (watchers.has(file)) return;
    try {
      const watcher = watch(dirname(file), (_, name) => {
        const lost = own.includes(file) && !existsSync(dirname(file));
        if (lost) change.reject(unwatchable(path, "its folder is gone"));
        else if (name === null || name === basename(file)) change.resolve();
      });
      watcher.on("error", (error) => change.reject(unwatchable(path, errorText(error), error)));
      watchers.set(file, watcher);
    } catch (cause) {
      throw unwatchable(path, errorText(cause), cause);
    }
  };
  own.forEach(add);
  return {
    follow: (paths) => {
      const files = new Set([...own, ...paths.filter((file) => !file.includes("/node_modules/"))]);
      for (const [file, watcher] of watchers) {
        if (files.has(file)) continue;
        watcher.close();
        watchers.delete(file);
      }
      files.forEach(add);
    },
    changed: async (signal) => {
      await orAborted(change.promise, signal);
      let quiet = false;
      while (!quiet) {
        change = Promise.withResolvers<void>();
        change.promise.catch(() => {});
        quiet = await Promise.race([
          change.promise.then(() => false),
          delay(QUIET_MS, true, { signal }).catch(() => true),
        ]);
        signal.throwIfAborted();
      }
    },
    [Symbol.dispose]: () => {
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function unwatchable(path: string, reason: string, cause?: unknown): NexError {
  return new NexError({ code: "WORKLOAD_FILE_INVALID", message: `Cannot watch "${path}": ${reason}`, cause });
}
