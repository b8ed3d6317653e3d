import { dirname, posix } from "node:path";

export type GroupController = "memory" | "pids";

/** A tree of control groups, and the directory in it below which we make ours. */
export interface GroupHierarchy {
  readonly version: 1 | 2;
  readonly directory: string;
  readonly controllers: readonly GroupController[];
}

/**
 * The hierarchies that limit memory or processes, from the text of `/proc/self/mountinfo` and `/proc/self/cgroup`
 * (proc(5), cgroups(7)).
 */
export function findHierarchies(mountInfo: string, membership: string): readonly GroupHierarchy[] {
  const mounts = parseMounts(mountInfo);
  const memberships = parseMemberships(membership);
  const found: GroupHierarchy[] = [];
  for (const { controllers, path } of memberships) {
    const limiting = CONTROLLERS.filter((name) => controllers.includes(name));
    const mount = mounts.find(
      ({ type, options }) => type === "cgroup" && limiting.some((name) => options.includes(name)),
    );
    const directory = mount === undefined ? undefined : directoryOf(mount, path);
    if (limiting.length > 0 && directory !== undefined) {
      found.push({ version: 1, directory, controllers: limiting });
    }
  }
  if (found.length > 0) return found;
  const own = memberships.find(({ controllers }) => controllers.length === 0);
  const mount = mounts.find(({ type }) => type === "cgroup2");
  const directory = own === undefined || mount === undefined ? undefined : directoryOf(mount, own.path);
  if (directory === undefined) return [];
  const unit = dirname(directory);
  return /\.(?:service|scope)$/u.test(unit)
    ? [{ version: 2, directory: unit, controllers: CONTROLLERS }]
    : [];
}

const CONTROLLERS: readonly GroupController[] = ["memory", "pids"];

interface GroupMount {
  readonly type: string;
  /** The group that is shown at `point`. */
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

function parseMounts(text: string): GroupMount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, point] = before.split(" ");
    const [type = "", , options = ""] = after.split(" ");
    if (root === undefined || point === undefined || !type.startsWith("cgroup")) return [];
    return [{ type, root, point, options: options.split(",") }];
  });
}

function parseMemberships(
  text: string,
): { readonly controllers: readonly string[]; readonly path: string }[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/u.exec(line);
    const [, controllers = "", path = ""] = match ?? [];
    if (match === null || controllers.startsWith("name=")) return [];
    return [{ controllers: controllers === "" ? [] : controllers.split(","), path }];
  });
}

/** Undefined when the group lies outside of what is mounted. */
function directoryOf({ root, point }: GroupMount, path: string): string | undefined {
  const below = posix.relative(root, path);
  return below.startsWith("..") ? undefined : posix.join(point, below);
}
