import { findProgram, SYSTEM_PATH } from "../lib/find-program.ts";

/**
 * Absolute path of a program of the system.
 *
 * @throws {Error} naming it when there is none
 */
export async function systemTool(name: string): Promise<string> {
  const path = await findProgram(name, { path: SYSTEM_PATH });
  if (path === undefined) throw new Error(`there is no "${name}" in ${SYSTEM_PATH}`);
  return path;
}
