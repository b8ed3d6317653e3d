/**
 * How agents are confined on this host. Each layer is tried with a real process, on top of those that work; one that
 * does not work is left out, and `missing` says so.
 *
 * | layer            | by                                             | else                                        |
 * | ---------------- | ---------------------------------------------- | ------------------------------------------- |
 * | kept together    | PID namespace (bubblewrap or unshare)          | process group: what detaches itself gets away |
 * | view of files    | bubblewrap                                     | the whole file system, as its user may        |
 * | user             | setpriv to a user of its own, no capabilities  | the node's user                               |
 * | no new privileges | setpriv (bubblewrap sets it as well)           | setuid programs work                          |
 * | processes        | prlimit where the count is the sandbox's alone; control group | no limit                       |
 * | memory           | control group                                  | no limit                                      |
 */
import { release } from "node:os";
import { findProgram, SYSTEM_PATH } from "../../lib/find-program.ts";
import { parentDeathPrefix } from "../../lib/parent-death.ts";
import { commandLine } from "./command-line.ts";
import type { ConfinementLayers, ConfinementTools, Container } from "./command-line.ts";
import type { ControlGroups } from "./control-groups.ts";
import type { FileViewOptions } from "./file-view.ts";
import type { ProcessLimits } from "./limits.ts";
import { USER_RANGES } from "./own-user.ts";
import type { UserRange } from "./own-user.ts";
import type { Premises, PremisesOptions } from "./premises.ts";
import { isolationText, missingLayers } from "./confinement-text.ts";
import { tryConfinement } from "./trial.ts";

/**
 * How an agent and all it starts are kept together. `pid-namespace`: the kernel ends all of them with the first one.
 * `process-group`: what detaches itself may get away.
 */
export type ConfinementKind = "pid-namespace" | "process-group";

/** A way to start agents on this host. */
export interface Confinement {
  readonly kind: ConfinementKind;
  /** What isolates a workload, for users: one line. */
  readonly detail: string;
  /** What this host does not give, and why, for an operator. */
  readonly missing: readonly string[];
  /** The users that sandboxes get, each its own; undefined when they stay the node's user. */
  readonly users: UserRange | undefined;
  /** Where an agent finds the temporary directory of its premises. */
  temporaryDirectory(premises: Premises): string;
  /**
   * The command line that runs `command` confined to its premises. It writes a line to file descriptor 4 once it is, and
   * adds nothing to the environment; file descriptors 3 and 5 are the command's.
   */
  wrap(command: readonly string[], premises: Premises): readonly string[];
}

export interface ConfinementOptions {
  /** The strongest way to keep processes together. Default `pid-namespace`. */
  readonly strongest?: ConfinementKind;
  /** Nothing but keeping processes together: agents have the node's user, files and resources. Default false. */
  readonly bare?: boolean;
  readonly view: FileViewOptions;
  readonly limits: ProcessLimits;
  readonly groups: ControlGroups | undefined;
  /** Makes premises for a trial. */
  readonly makePremises: (options: PremisesOptions) => Promise<Premises>;
}

/** The strongest confinement that works here; undefined without a shell. */
export async function findConfinement(options: ConfinementOptions): Promise<Confinement | undefined> {
  const tools = await findTools();
  if (tools === undefined) return undefined;
  const make = (layers: ConfinementLayers): Confinement => confinementOf(layers, tools, options);
  const works = async (layers: ConfinementLayers): Promise<boolean> =>
    tryConfinement(make(layers), { tools, ...options });
  const changes = layersToTry(tools, options);
  // Usually all of them work, and then one trial is enough.
  const best = changes.reduce<ConfinementLayers>((layers, [first]) => ({ ...layers, ...first }), NONE);
  if (await works(withCountedProcesses(best))) return make(withCountedProcesses(best));
  let layers = NONE;
  for (const alternatives of changes) {
    for (const change of alternatives) {
      const better = withCountedProcesses({ ...layers, ...change });
      if (!(await works(better))) continue;
      layers = better;
      break;
    }
  }
  return make(layers);
}

const NONE: ConfinementLayers = { container: { kind: "process-group" } };

/** Layers from the bottom to the top, and for each what to try, the strongest first. */
function layersToTry(
  tools: ConfinementTools,
  { strongest, bare = false, limits: { processes } }: ConfinementOptions,
): readonly (readonly Partial<ConfinementLayers>[])[] {
  const asRoot = process.getuid?.() === 0;
  const containers: Container[] = [
    ...(tools.bubblewrap === undefined || bare
      ? []
      : [{ kind: "bubblewrap", userNamespace: !asRoot } as const]),
    ...(tools.unshare === undefined
      ? []
      : (asRoot ? [false, true] : [true]).map(
          (userNamespace) => ({ kind: "unshare", userNamespace }) as const,
        )),
  ];
  const container = strongest === "process-group" ? [] : containers.map((kind) => ({ container: kind }));
  if (bare || tools.setpriv === undefined) return [container];
  return [
    container,
    [{ noNewPrivileges: true }],
    asRoot ? USER_RANGES.map((users) => ({ users })) : [],
    processes === undefined || tools.prlimit === undefined ? [] : [{ processLimit: processes }],
  ];
}

/** A limit of processes only where no other processes than the sandbox's count. */
function withCountedProcesses({ processLimit, ...layers }: ConfinementLayers): ConfinementLayers {
  const { container, users } = layers;
  const ownNamespace = container.kind !== "process-group" && container.userNamespace;
  const counts = users !== undefined || (ownNamespace && countsPerNamespace());
  return counts && processLimit !== undefined ? { ...layers, processLimit } : layers;
}

/** Since Linux 5.14 processes are counted per user and user namespace (ucounts). */
function countsPerNamespace(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}

async function findTools(): Promise<ConfinementTools | undefined> {
  const onLinux = async (name: string): Promise<string | undefined> =>
    process.platform === "linux" ? findProgram(name, { path: SYSTEM_PATH }) : undefined;
  const [sh, env, unshare, bubblewrap, setpriv, prlimit, deathPrefix] = await Promise.all([
    findProgram("sh", { path: SYSTEM_PATH }),
    findProgram("env", { path: SYSTEM_PATH }),
    onLinux("unshare"),
    onLinux("bwrap"),
    onLinux("setpriv"),
    onLinux("prlimit"),
    parentDeathPrefix(),
  ]);
  if (sh === undefined || env === undefined) return undefined;
  return { sh, env, unshare, bubblewrap, setpriv, prlimit, diesWithParent: deathPrefix.length > 0 };
}

function confinementOf(
  layers: ConfinementLayers,
  tools: ConfinementTools,
  { bare = false, view, limits, groups }: ConfinementOptions,
): Confinement {
  const controllers = groups?.controllers ?? new Set();
  return {
    kind: layers.container.kind === "process-group" ? "process-group" : "pid-namespace",
    detail: isolationText({ layers, tools, limits, controllers }),
    missing: bare ? [] : missingLayers({ layers, tools, limits, controllers }),
    users: layers.users,
    ...commandLine(layers, tools, view),
  };
}
