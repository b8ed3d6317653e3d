import { stat } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../../lib/errors.ts";
import { developerDirectory } from "../developer-directory.ts";
import { readIssuerFile, readXkeyFile } from "../key-file.ts";
import type { Finding, LocalPatient } from "./check.ts";

const FILES = [
  { name: "issuer.nk", role: "issuer", read: async (path: string) => (await readIssuerFile(path)).publicKey },
  {
    name: "publisher.xk",
    role: "publisher",
    read: async (path: string) => (await readXkeyFile(path)).publicKey,
  },
] as const;

/** Permissions of everybody but the owner. */
const OTHERS = 0o077;

/** Whether the keys of `devrun` in `~/.nex` are there, are keys, and are nobody else's to read. */
export async function checkKeys({ context }: LocalPatient): Promise<Finding> {
  const directory = developerDirectory(context.environment);
  const mode = await modeOf(directory);
  if (mode === undefined) {
    return {
      status: "ok",
      summary: `none yet; "nex devrun" makes them in ${directory}`,
      details: { directory },
    };
  }
  const problems: { readonly text: string; readonly fix: string }[] = [];
  const keys: Record<string, string> = {};
  if ((mode & OTHERS) !== 0) problems.push(tooOpen(directory, mode, "700"));
  for (const { name, role, read } of FILES) {
    const path = join(directory, name);
    const fileMode = await modeOf(path);
    if (fileMode === undefined) continue;
    if ((fileMode & OTHERS) !== 0) problems.push(tooOpen(path, fileMode, "600"));
    try {
      keys[role] = await read(path);
    } catch (error) {
      problems.push({
        text: errorText(error),
        fix: `Restore ${path} from a backup, or remove it: "nex devrun" then makes a new key, which cannot stop what the old one deployed`,
      });
    }
  }
  const details = { directory, ...keys };
  if (problems.length > 0) {
    return {
      status: "failed",
      summary: problems.map(({ text }) => text).join("; "),
      fix: problems.map(({ fix }) => fix).join("; "),
      details,
    };
  }
  const found = Object.entries(keys).map(([role, key]) => `${role} ${key.slice(0, 8)}…`);
  const summary =
    found.length === 0
      ? `none yet; "nex devrun" makes them in ${directory}`
      : `${found.join(", ")} in ${directory}`;
  return { status: "ok", summary, details };
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    const { mode } = await stat(path);
    return process.platform === "win32" ? mode & 0o700 : mode & 0o777;
  } catch {
    return undefined;
  }
}

function tooOpen(
  path: string,
  mode: number,
  wanted: string,
): { readonly text: string; readonly fix: string } {
  return { text: `${path} is open to others (mode ${mode.toString(8)})`, fix: `chmod ${wanted} ${path}` };
}
