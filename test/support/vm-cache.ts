/** Folders of images that are made once, `{kind}-{digest}`, and shared by test files that run side by side. */
import { existsSync, rmSync } from "node:fs";
import { mkdir, open, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAbandoned, ownedName } from "../../src/lib/owned-name.ts";

const WAIT_MS = 5 * 60_000;
/** Below the cache, a file for each process and folder that it uses. */
const USES = "in-use";

/**
 * The folder `name` of the cache, filled by the first who asks; the others wait for it. Whoever fills one removes those
 * of the same kind that nobody uses any more.
 */
export async function cachedImage(
  cache: string,
  name: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const ready = join(cache, name);
  const deadlineMs = performance.now() + WAIT_MS;
  await markUse(cache, name);
  while (!existsSync(ready)) {
    const lock = await tryLock(`${ready}.lock`);
    if (lock === undefined) {
      if (performance.now() > deadlineMs) throw new Error(`"${ready}.lock" is held for too long`);
      await delay(200);
      continue;
    }
    await using _ = lock;
    if (existsSync(ready)) break;
    const made = `${ready}.making`;
    await rm(made, { recursive: true, force: true });
    await mkdir(made);
    await fill(made);
    await rename(made, ready);
    await removeSuperseded(cache, name);
  }
  return ready;
}

const marks = new Map<string, string>();
process.once("exit", () => {
  for (const mark of marks.values()) rmSync(mark, { force: true });
});

/** Until this process ends. */
async function markUse(cache: string, name: string): Promise<void> {
  const folder = join(cache, name);
  if (marks.has(folder)) return;
  const mark = join(cache, USES, ownedName(useOf(name)));
  marks.set(folder, mark);
  await mkdir(join(cache, USES), { recursive: true });
  await writeFile(mark, "");
}

/** Names of owners have no hyphens of their own. */
function useOf(name: string): string {
  return name.replaceAll("-", ".");
}

async function removeSuperseded(cache: string, current: string): Promise<void> {
  const [kind] = current.split("-");
  const uses: string[] = [];
  for (const mark of await readdir(join(cache, USES))) {
    if (isAbandoned(mark, mark.split("-")[0] ?? "")) await rm(join(cache, USES, mark), { force: true });
    else uses.push(mark);
  }
  for (const name of await readdir(cache)) {
    const isOurs = /^[a-z]+-[0-9a-f]{16}$/.test(name) && name.startsWith(`${kind}-`) && name !== current;
    if (!isOurs || uses.some((mark) => mark.startsWith(`${useOf(name)}-`))) continue;
    await rm(join(cache, name), { recursive: true, force: true });
  }
}

/** A file with our process id; one whose process is gone is taken over. */
async function tryLock(path: string): Promise<AsyncDisposable | undefined> {
  try {
    await using file = await open(path, "wx");
    await file.writeFile(String(process.pid));
    return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  } catch {
    const owner = Number(await readFile(path, "utf8").catch(() => ""));
    if (owner > 0 && !existsSync(`/proc/${owner}`)) await rm(path, { force: true });
    return undefined;
  }
}
