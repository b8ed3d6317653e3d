import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "./command.ts";

/** The folder of this account's keys: `~/.nex`. */
export function developerDirectory({ HOME: home }: Environment): string {
  return join(home === undefined || home === "" ? homedir() : home, ".nex");
}
