import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isAbandoned, ownedNameStart } from "./owned-name.ts";

/** A directory of ours, readable by us only; dispose removes it with its contents. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Makes `{parent}/{prefix}-{owner}-{random}` and removes those of owners that no longer run. */
export async function makeTemporaryDirectory(options: {
  readonly parent: string;
  /** Letters, digits and dots. */
  readonly prefix: string;
}): Promise<TemporaryDirectory> {
  const { parent, prefix } = options;
  await mkdir(parent, { recursive: true });
  await removeAbandoned(parent, prefix);
  const path = await mkdtemp(join(parent, ownedNameStart(prefix)));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    },
  };
}

async function removeAbandoned(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (isAbandoned(name, prefix))
      await rm(join(parent, name), { recursive: true, force: true }).catch(() => {});
  }
}
