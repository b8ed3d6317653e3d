import { constants } from "node:os";
import type { SandboxExit } from "./sandbox.ts";
import { systemTool } from "./system-tools.ts";

/**
 * What the command line of a monitor that changes its user starts with. The kernel forgets then that it is to die with
 * us; so the first process of a PID namespace of its own, which does not change, dies with us and takes it along. It
 * also keeps monitors from seeing each other.
 */
export async function ownNamespacePrefix(): Promise<readonly string[]> {
  const [unshare, sh] = await Promise.all([systemTool("unshare"), systemTool("sh")]);
  return [unshare, "--pid", "--fork", "--kill-child=KILL", "--", sh, "-c", WAIT_SCRIPT, "machine"];
}

/** The shell is the first process; its own remarks ("Killed") go nowhere. */
const WAIT_SCRIPT = `exec 9>&2 2>/dev/null
"$@" 2>&9 9>&- &
exec 9>&-
wait $!
exit $?`;

/** The shell reports a signal as exit code 128 + n. */
export function readNamespaceExit(exit: SandboxExit): SandboxExit {
  if (exit.kind !== "exited" || exit.code <= 128) return exit;
  const signal = Object.entries(constants.signals).find(([, number]) => number === exit.code - 128)?.[0];
  return signal === undefined ? exit : { kind: "signaled", signal };
}
