/**
 * Control groups for memory and processes, where the node may make some: below its own group (version 1), or beside it when
 * its group is a part of a systemd unit (version 2: a group with processes cannot have limited groups below it, so the
 * unit needs `Delegate=memory pids` and `DelegateSubgroup=`).
 *
 *     own group ── nex-…-{node's pid}-… ── {sandbox}      removed with the sandbox, or by the next node
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startProcess } from "../../lib/managed-process.ts";
import { isAbandoned, ownedName } from "../../lib/owned-name.ts";
import { findHierarchies } from "./control-group-hierarchies.ts";
import type { GroupController, GroupHierarchy } from "./control-group-hierarchies.ts";
import type { ProcessLimits } from "./limits.ts";

/** The groups of one sandbox. */
export interface ControlGroup extends AsyncDisposable {
  /** A process that writes its id to each of them is in the group. */
  readonly entrances: readonly string[];
}

/** Makes groups for sandboxes; dispose removes what is left. */
export interface ControlGroups extends AsyncDisposable {
  readonly controllers: ReadonlySet<GroupController>;
  make(id: string, limits: ProcessLimits): Promise<ControlGroup>;
}

/** Undefined where this process may make no groups. */
export async function openControlGroups(): Promise<ControlGroups | undefined> {
  if (process.platform !== "linux") return undefined;
  const [mounts, memberships] = await Promise.all(
    ["/proc/self/mountinfo", "/proc/self/cgroup"].map(async (path) => readFile(path, "utf8").catch(() => "")),
  );
  const bases: GroupHierarchy[] = [];
  for (const hierarchy of findHierarchies(mounts ?? "", memberships ?? "")) {
    const base = await openBase(hierarchy).catch(() => undefined);
    if (base !== undefined) bases.push(base);
  }
  if (bases.length === 0) return undefined;
  const groups: ControlGroups = {
    controllers: new Set(bases.flatMap(({ controllers }) => controllers)),
    make: async (id, limits) => makeGroup(bases, id, limits),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(bases.map(async ({ directory }) => removeTree(directory)));
    },
  };
  if (await canEnter(groups)) return groups;
  await groups[Symbol.asyncDispose]();
  return undefined;
}

const PREFIX = "nex";
const REMOVE_MS = 2000;

async function openBase(hierarchy: GroupHierarchy): Promise<GroupHierarchy> {
  const { version, directory, controllers } = hierarchy;
  for (const name of await readdir(directory)) {
    if (isAbandoned(name, PREFIX)) await removeTree(join(directory, name), killMembers);
  }
  const handDown = async (to: string): Promise<void> =>
    write(to, "cgroup.subtree_control", controllers.map((name) => `+${name}`).join(" "));
  if (version === 2) await handDown(directory);
  const base = join(directory, ownedName(PREFIX));
  await mkdir(base);
  try {
    if (version === 2) await handDown(base);
  } catch (error) {
    await removeTree(base);
    throw error;
  }
  return { version, directory: base, controllers };
}

/** Whether a process of ours gets in: writing the files is not all it takes. */
async function canEnter(groups: ControlGroups): Promise<boolean> {
  try {
    await using group = await groups.make("trial", {});
    const script = 'for entrance; do echo $$ >"$entrance" || exit 1; done';
    await using trial = await startProcess({
      program: "sh",
      argv: ["-c", script, "trial", ...group.entrances],
      environment: {},
      workingDirectory: "/",
      stdio: "ignore",
    });
    const exit = await trial.exit;
    return exit.kind === "exited" && exit.code === 0;
  } catch {
    return false;
  }
}

async function makeGroup(
  bases: readonly GroupHierarchy[],
  id: string,
  limits: ProcessLimits,
): Promise<ControlGroup> {
  const directories = bases.map(({ directory }) => join(directory, id));
  const remove = async (): Promise<void> => {
    await Promise.all(directories.map(removeGroup));
  };
  try {
    for (const base of bases) {
      const directory = join(base.directory, id);
      await mkdir(directory);
      await limit({ ...base, directory }, limits);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    entrances: directories.map((directory) => join(directory, "cgroup.procs")),
    [Symbol.asyncDispose]: remove,
  };
}

async function limit(
  { version, directory, controllers }: GroupHierarchy,
  { memoryMiB, processes }: ProcessLimits,
): Promise<void> {
  if (controllers.includes("pids") && processes !== undefined) {
    await write(directory, "pids.max", String(processes + OUR_PROCESSES));
  }
  if (!controllers.includes("memory") || memoryMiB === undefined) return;
  const bytes = String(memoryMiB * 1024 * 1024);
  if (version === 1) {
    await write(directory, "memory.limit_in_bytes", bytes);
    await writeIfThere(directory, "memory.memsw.limit_in_bytes", bytes);
  } else {
    await write(directory, "memory.max", bytes);
    await writeIfThere(directory, "memory.swap.max", "0");
    await writeIfThere(directory, "memory.oom.group", "1");
  }
}

/** What is in the group besides the agent and what it starts. */
const OUR_PROCESSES = 4;

async function write(directory: string, file: string, text: string): Promise<void> {
  await writeFile(join(directory, file), text);
}

/** Files that kernels without swap accounting lack. */
async function writeIfThere(directory: string, file: string, text: string): Promise<void> {
  if (existsSync(join(directory, file))) await write(directory, file, text);
}

async function removeTree(directory: string, before?: (directory: string) => Promise<void>): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  await Promise.all(
    below.map(async (group) => {
      await before?.(group);
      await removeGroup(group);
    }),
  );
  await removeGroup(directory);
}

/** What outlived a killed node because the host gave its sandboxes no PID namespaces. */
async function killMembers(directory: string): Promise<void> {
  const members = await readFile(join(directory, "cgroup.procs"), "utf8").catch(() => "");
  for (const member of members.split("\n").map(Number)) {
    try {
      if (member > 0) process.kill(member, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }
}

/** A group can be removed a moment after its last process has ended. One that stays busy is left to the next node. */
async function removeGroup(directory: string): Promise<void> {
  const deadlineMs = performance.now() + REMOVE_MS;
  for (let waitMs = 1; ; waitMs = Math.min(50, waitMs * 2)) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY" || performance.now() > deadlineMs) return;
    }
    await delay(waitMs);
  }
}
