import type { ConfinementLayers, ConfinementTools } from "./command-line.ts";
import type { GroupController } from "./control-group-hierarchies.ts";
import type { ProcessLimits } from "./limits.ts";

export interface ConfinementFacts {
  readonly layers: ConfinementLayers;
  readonly tools: ConfinementTools;
  /** What is asked for. */
  readonly limits: ProcessLimits;
  /** What control groups limit. */
  readonly controllers: ReadonlySet<GroupController>;
}

/** What isolates a workload: `child process (user of its own, read-only file system, …)`. */
export function isolationText(facts: ConfinementFacts): string {
  const { container, users, noNewPrivileges } = facts.layers;
  const { memoryMiB, processes } = facts.limits;
  const held = [
    ...(users === undefined ? [] : ["user of its own"]),
    ...(container.kind === "bubblewrap" ? ["read-only file system"] : []),
    container.kind === "process-group" ? groupText(facts.tools) : "PID namespace",
    ...(noNewPrivileges === true ? ["no new privileges"] : []),
    ...(memoryMiB !== undefined && limitsMemory(facts) ? [`${memoryMiB} MiB`] : []),
    ...(processes !== undefined && limitsProcesses(facts) ? [`${processes} processes`] : []),
  ];
  return `child process (${held.join(", ")})`;
}

/** What it lacks, and why. */
export function missingLayers(facts: ConfinementFacts): readonly string[] {
  const { layers, tools, limits } = facts;
  const missing: string[] = [];
  if (layers.container.kind === "process-group") missing.push("PID namespace: unshare does not work here");
  if (layers.container.kind !== "bubblewrap") {
    const reason = tools.bubblewrap === undefined ? "is not installed" : "does not work here";
    missing.push(`read-only file system: bubblewrap ${reason}`);
  }
  if (layers.users === undefined) {
    const asRoot = process.getuid?.() === 0;
    const reason = asRoot ? "another user cannot read the agent's files" : "the node does not run as root";
    missing.push(`user of its own: ${reason}`);
  }
  if (layers.noNewPrivileges !== true) missing.push("no new privileges: setpriv does not work here");
  if (limits.processes !== undefined && !limitsProcesses(facts)) {
    missing.push("limit of processes: the sandbox has neither a user nor a control group of its own");
  }
  if (limits.memoryMiB !== undefined && !limitsMemory(facts)) {
    missing.push("limit of memory: the node may not make control groups");
  }
  return missing;
}

function groupText({ diesWithParent }: ConfinementTools): string {
  return diesWithParent
    ? "process group, which a daemon may outlive"
    : "process group, which may outlive a node that is killed";
}

function limitsProcesses({ layers, controllers }: ConfinementFacts): boolean {
  return layers.processLimit !== undefined || controllers.has("pids");
}

function limitsMemory({ controllers }: ConfinementFacts): boolean {
  return controllers.has("memory");
}
