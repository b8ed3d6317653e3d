import { findProgram } from "../../lib/find-program.ts";
import { startProcess } from "../../lib/managed-process.ts";
import { parentDeathPrefix } from "../../lib/parent-death.ts";

/**
 * How an agent and all it starts are kept together. `pid-namespace`: the kernel ends all of them with the first one.
 * `process-group`: what detaches itself may get away.
 */
export type ConfinementKind = "pid-namespace" | "process-group";

/** A way to start agents on this host. */
export interface Confinement {
  readonly kind: ConfinementKind;
  /** What it promises, for an operator. */
  readonly detail: string;
  /**
   * The command line that runs `command` confined. It writes a line to file descriptor 4 once it is, and adds nothing
   * to the environment; file descriptors 3 and 5 are the command's.
   */
  wrap(command: readonly string[]): readonly string[];
}

/** The file descriptors of a confined command. */
export const CHANNEL_FD = 3;
export const UP_FD = 4;
export const CALLS_FD = 5;

/**
 * The strongest confinement that works here; each is tried with a real process. Undefined without a shell.
 */
export async function findConfinement(
  strongest: ConfinementKind = "pid-namespace",
): Promise<Confinement | undefined> {
  const [sh, env, unshare] = await Promise.all([
    findProgram("sh", { path: TOOL_PATH }),
    findProgram("env", { path: TOOL_PATH }),
    process.platform === "linux" ? findProgram("unshare", { path: TOOL_PATH }) : undefined,
  ]);
  if (sh === undefined || env === undefined) return undefined;
  const clean = [env, ...SHELL_VARIABLES.flatMap((name) => ["-u", name])];
  if (unshare !== undefined && strongest === "pid-namespace") {
    for (const options of namespaceOptions()) {
      const prefix = [unshare, ...options, "--", sh, "-c", NAMESPACE_SCRIPT, "agent", ...clean];
      const candidate: Confinement = {
        kind: "pid-namespace",
        detail: "agents run in PID namespaces of their own",
        wrap: (command) => [...prefix, ...command],
      };
      if (await works(candidate, sh)) return candidate;
    }
  }
  const dies = (await parentDeathPrefix()).length > 0;
  return {
    kind: "process-group",
    detail: dies
      ? "agents run in process groups of their own; a daemon that detaches itself from its agent may outlive it"
      : "agents run in process groups of their own; they may outlive a node that is killed with SIGKILL, and a daemon may outlive its agent",
    wrap: (command) => [sh, "-c", GROUP_SCRIPT, "agent", ...clean, ...command],
  };
}

/** Not from the PATH of whoever started the node. */
const TOOL_PATH = "/usr/bin:/bin:/usr/sbin:/sbin";
/** What shells add to the environment. */
const SHELL_VARIABLES = ["PWD", "OLDPWD", "SHLVL", "_"];
const TRIAL_MS = 5000;

/**
 * The shell is the first process of the namespace. It is not the agent because the first process cannot kill itself
 * and ignores signals without a handler. Its own remarks ("Terminated") go nowhere. The write to 4 fails when
 * the node was killed before this process was bound to it.
 */
const NAMESPACE_SCRIPT = `exec 9>&2 2>/dev/null
echo up >&4 || exit 126
"$@" 2>&9 9>&- 4>&- &
exec 3>&- 4>&- 5>&- 9>&-
wait $!
exit $?`;

const GROUP_SCRIPT = `echo up >&4 || exit 126
exec 4>&-
exec "$@"`;

function namespaceOptions(): readonly (readonly string[])[] {
  const namespace = ["--pid", "--fork", "--kill-child=KILL"];
  const unprivileged = ["--user", "--map-current-user", ...namespace];
  return process.getuid?.() === 0 ? [namespace, unprivileged] : [unprivileged];
}

/** Whether a confined command runs and its exit code comes through. */
async function works(candidate: Confinement, sh: string): Promise<boolean> {
  const [program = "", ...argv] = candidate.wrap([sh, "-c", "exit 7"]);
  try {
    await using trial = await startProcess({
      program,
      argv,
      environment: {},
      workingDirectory: "/",
      stdio: ["ignore", "ignore", "ignore", "ignore", "pipe"],
    });
    const timer = setTimeout(() => trial.signal("SIGKILL"), TRIAL_MS);
    const exit = await trial.exit;
    clearTimeout(timer);
    return exit.kind === "exited" && exit.code === 7;
  } catch {
    return false;
  }
}
