import { VIEW_TEMPORARY, fileViewArguments } from "./file-view.ts";
import type { FileViewOptions } from "./file-view.ts";
import type { UserRange } from "./own-user.ts";
import type { Premises } from "./premises.ts";

/** The file descriptors of a confined command. */
export const CHANNEL_FD = 3;
export const UP_FD = 4;
export const CALLS_FD = 5;

/** Absolute paths of the programs that confine; `diesWithParent`: setpriv can bind a process to the end of its parent. */
export interface ConfinementTools {
  readonly sh: string;
  readonly env: string;
  readonly unshare: string | undefined;
  readonly bubblewrap: string | undefined;
  readonly setpriv: string | undefined;
  readonly prlimit: string | undefined;
  readonly diesWithParent: boolean;
}

/** What keeps an agent and all it starts together. */
export type Container =
  | { readonly kind: "bubblewrap"; readonly userNamespace: boolean }
  | { readonly kind: "unshare"; readonly userNamespace: boolean }
  | { readonly kind: "process-group" };

export interface ConfinementLayers {
  readonly container: Container;
  readonly users?: UserRange;
  readonly noNewPrivileges?: boolean;
  /** Of the sandbox alone: where others count as well it would be theirs, too. */
  readonly processLimit?: number;
}

/**
 * The command line of a confined command:
 *
 *     enter the control groups ─ bubblewrap or unshare ─ sh ─ setpriv ─ prlimit ─ env ─ command
 */
export function commandLine(
  layers: ConfinementLayers,
  tools: ConfinementTools,
  view: FileViewOptions,
): {
  readonly temporaryDirectory: (premises: Premises) => string;
  readonly wrap: (command: readonly string[], premises: Premises) => readonly string[];
} {
  const hasView = layers.container.kind === "bubblewrap";
  return {
    temporaryDirectory: ({ directory }) => (hasView ? VIEW_TEMPORARY : directory),
    wrap: (command, premises) => [
      ...entry(layers, tools, premises),
      ...inContainer(layers, tools, view, premises),
      ...privileges(layers, tools, premises),
      ...(layers.processLimit === undefined || tools.prlimit === undefined
        ? []
        : [tools.prlimit, `--nproc=${layers.processLimit}`, "--"]),
      tools.env,
      ...SHELL_VARIABLES.flatMap((name) => ["-u", name]),
      ...command,
    ],
  };
}

/** What shells add to the environment. */
const SHELL_VARIABLES = ["PWD", "OLDPWD", "SHLVL", "_"];

/** `agent` is the name of the script in the shell's own words, its arguments follow. */
const asScript = (sh: string, script: string): readonly string[] => [sh, "-c", script, "agent"];

/**
 * Bubblewrap's supervisor dies of the signals that ask the agent to leave, and takes it along; so it ignores them, and
 * `env` gives them back to the agent.
 */
const IGNORE_SIGNALS = `trap "" HUP INT QUIT TERM
`;
const ENTER_GROUPS = `while [ "$1" != -- ]; do echo $$ >"$1" || exit 126; shift; done
shift
exec "$@"`;

function entry(
  { container: { kind } }: ConfinementLayers,
  { sh }: ConfinementTools,
  premises: Premises,
): readonly string[] {
  if (kind === "bubblewrap")
    return [...asScript(sh, IGNORE_SIGNALS + ENTER_GROUPS), ...premises.entrances, "--"];
  return premises.entrances.length === 0 ? [] : [...asScript(sh, ENTER_GROUPS), ...premises.entrances, "--"];
}

/**
 * The shell is the first process of the namespace. It is not the agent because the first process cannot kill itself
 * and ignores signals without a handler. Its own remarks ("Terminated") go nowhere. The write to 4 fails when
 * the node was killed before this process was bound to it.
 */
const FIRST_PROCESS = `exec 9>&2 2>/dev/null
echo up >&4 || exit 126
"$@" 2>&9 9>&- 4>&- &
exec 3>&- 4>&- 5>&- 9>&-
wait $!
exit $?`;

/** Without namespace, and below the first process that bubblewrap brings. */
const BECOME_COMMAND = `echo up >&4 || exit 126
exec 4>&-
exec "$@"`;

/** What changing the user takes; setpriv gives them up. */
const CHANGE_USER = ["SETUID", "SETGID", "SETPCAP"].flatMap((name) => ["--cap-add", `CAP_${name}`]);

function inContainer(
  { container, users }: ConfinementLayers,
  { sh, env, unshare, bubblewrap }: ConfinementTools,
  view: FileViewOptions,
  { directory }: Premises,
): readonly string[] {
  if (container.kind === "bubblewrap" && bubblewrap !== undefined) {
    return [
      bubblewrap,
      "--unshare-pid",
      "--unshare-ipc",
      "--die-with-parent",
      ...fileViewArguments(view, directory),
      "--cap-drop",
      "ALL",
      ...(users === undefined ? [] : CHANGE_USER),
      "--",
      // Before it says that it is up: an agent that is told to leave at once must not miss it.
      env,
      "--default-signal=HUP,INT,QUIT,TERM",
      ...asScript(sh, BECOME_COMMAND),
    ];
  }
  if (container.kind === "unshare" && unshare !== undefined) {
    return [
      unshare,
      ...(container.userNamespace ? ["--user", "--map-current-user"] : []),
      "--pid",
      "--fork",
      "--kill-child=KILL",
      "--",
      ...asScript(sh, FIRST_PROCESS),
    ];
  }
  return asScript(sh, BECOME_COMMAND);
}

function privileges(
  { container: { kind }, users, noNewPrivileges }: ConfinementLayers,
  { setpriv, diesWithParent }: ConfinementTools,
  { user }: Premises,
): readonly string[] {
  if (setpriv === undefined || noNewPrivileges !== true) return [];
  return [
    setpriv,
    "--no-new-privs",
    ...(users === undefined ? [] : changeUser(user)),
    // A change of the user unbinds a process from its parent's end.
    ...(kind === "process-group" && diesWithParent ? ["--pdeathsig", "KILL"] : []),
    "--",
  ];
}

function changeUser(user: number | undefined): readonly string[] {
  if (user === undefined) throw new TypeError("a user is missing");
  const id = String(user);
  return ["--reuid", id, "--regid", id, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
}
