import { execFile } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { readStream } from "../monitor-output.ts";
import { systemTool } from "../system-tools.ts";

/**
 * Makes a named pipe as a log file, so that the log takes no space however much is written: the reader limits it.
 * Dispose reads the rest.
 */
export async function openMonitorLog(path: string, onLine: (line: string) => void): Promise<AsyncDisposable> {
  await promisify(execFile)(await systemTool("mkfifo"), ["-m", "600", "--", path], { env: {} });
  // Open for writing too, so that the reader sees no end before we say so; never blocks that way.
  const keeper = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const reading = readStream(new Socket({ fd: descriptor, readable: true, writable: false }), onLine);
  return {
    [Symbol.asyncDispose]: async () => {
      closeSync(keeper);
      await reading[Symbol.asyncDispose]();
    },
  };
}
