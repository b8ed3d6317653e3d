import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { pathExists } from "../lib/path-exists.ts";
import type { HostPlan } from "./host-plan.ts";
import { fileSum } from "./install.ts";
import type { Finding } from "./requirement.ts";
import { putWhole } from "./whole-file.ts";

/** SHA-256 by path, of the files that preflight has installed. */
const InstalledSums = z.record(z.string(), z.string());
type InstalledSums = z.infer<typeof InstalledSums>;

/** Notes what a file is now, to notice later that it has become another one. */
export async function recordSum(plan: HostPlan, path: string): Promise<void> {
  const file = recordFile(plan);
  const sums = { ...(await readSums(file)), [path]: await fileSum(path) };
  const text = `${JSON.stringify(sums, null, 2)}\n`;
  await putWhole(file, { replace: true, make: (made) => writeFile(made, text) });
}

/** Compares a file that preflight has installed with what it was then; other files are taken as they are. */
export async function verify(plan: HostPlan, finding: Finding): Promise<Finding> {
  if (finding.kind !== "satisfied") return finding;
  const expected = (await readSums(recordFile(plan)))[finding.location];
  if (expected === undefined || (await fileSum(finding.location)) === expected) return finding;
  return { ...finding, kind: "changed" };
}

/** Whether a file is the one that preflight has installed. */
export async function isInstalledHere(plan: HostPlan, path: string): Promise<boolean> {
  const expected = (await readSums(recordFile(plan)))[path];
  return expected !== undefined && (await pathExists(path)) && (await fileSum(path)) === expected;
}

function recordFile({ rootfs }: HostPlan): string {
  return join(dirname(rootfs), "preflight.json");
}

async function readSums(file: string): Promise<InstalledSums> {
  try {
    return InstalledSums.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    // Nothing was installed yet, or somebody else's file is there.
    return {};
  }
}
