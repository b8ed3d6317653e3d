import { mkdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { NexError } from "../lib/errors.ts";
import { pathExists } from "../lib/path-exists.ts";
import { makeTemporaryDirectory } from "../lib/temporary-directory.ts";

/**
 * Has a file made beside `target` and puts it there in one step, so that there is a whole file or none; what a killed
 * process has left is removed by the next one.
 *
 * @throws {NexError} `PREFLIGHT_FAILED` when something is there already that may not be replaced
 */
export async function putWhole(
  target: string,
  options: { readonly replace: boolean; readonly make: (path: string) => Promise<void> },
): Promise<void> {
  if (!options.replace && (await pathExists(target))) {
    const message = `"${target}" is there already and was not made by preflight: move it away, or replace it with --force`;
    throw new NexError({ code: "PREFLIGHT_FAILED", message });
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  await using work = await makeTemporaryDirectory({ parent: dirname(target), prefix: ".nex.preflight" });
  const made = join(work.path, basename(target));
  await options.make(made);
  await rename(made, target);
}
