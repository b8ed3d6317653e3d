import { findProgram } from "../lib/find-program.ts";

/** Not from the PATH of whoever started the node. */
const TOOL_PATH = "/usr/bin:/bin:/usr/sbin:/sbin";

/**
 * Absolute path of a program of the system.
 *
 * @throws {Error} naming it when there is none
 */
export async function systemTool(name: string): Promise<string> {
  const path = await findProgram(name, { path: TOOL_PATH });
  if (path === undefined) throw new Error(`there is no "${name}" in ${TOOL_PATH}`);
  return path;
}
