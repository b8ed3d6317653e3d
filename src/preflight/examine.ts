import { access, constants, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Finding, Requirement } from "./requirement.ts";

/** Looks for one requirement; the first hit counts. `onSearch` is told every directory that is looked into. */
export async function examine(
  requirement: Requirement,
  onSearch?: (directory: string) => void,
): Promise<Finding> {
  for (const directory of requirement.directories) {
    onSearch?.(directory);
    for (const name of requirement.fileNames) {
      const path = join(directory, name);
      if (await isThere(path, requirement.isProgram))
        return { kind: "satisfied", requirement, location: path };
    }
  }
  const { substitute } = requirement;
  return substitute === undefined
    ? { kind: "missing", requirement }
    : { kind: "satisfied", requirement, location: substitute };
}

/** The texts of protocol.md 9.2 for everything that is missing. */
export async function missingTexts(requirements: readonly Requirement[]): Promise<string[]> {
  const findings = await Promise.all(requirements.map(async (requirement) => examine(requirement)));
  return findings.flatMap((finding) => (finding.kind === "missing" ? [finding.requirement.missingText] : []));
}

async function isThere(path: string, isProgram: boolean): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) return false;
    await access(path, isProgram ? constants.X_OK : constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
