/**
 * What a sandbox sees of the host's files when bubblewrap is installed: everything, read-only, but
 *
 * - a directory of its own at /tmp and /var/tmp, the only place (with /dev/shm) it can write to
 * - home directories and /run are empty, but for what name resolution and the agent itself need
 * - the files and directories that the node hides are empty
 */
import { existsSync, realpathSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";

/** Where a sandbox with a view of its own finds its temporary directory. */
export const VIEW_TEMPORARY = "/tmp";

export interface FileViewOptions {
  /** Absolute paths the agent needs; they stay readable wherever they are. */
  readonly needed: readonly string[];
  /** Absolute paths that agents must not see; those that do not exist are ignored. */
  readonly hidden: readonly string[];
}

/** The arguments of bubblewrap that make the view for a sandbox with this temporary directory. */
export function fileViewArguments({ needed, hidden }: FileViewOptions, directory: string): readonly string[] {
  const real = needed.map(realPath).filter((path) => path !== undefined);
  const concealed = concealedPaths([...hidden, ...real.map(closedAncestor)]);
  const directories = concealed.filter(isDirectory);
  const files = concealed.filter((path) => !isDirectory(path));
  const temporary = TEMPORARY.filter(isRealDirectory);
  return [
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    ...directories.flatMap((path) => ["--tmpfs", path]),
    ...NAME_RESOLUTION.filter(existsSync).flatMap((path) => ["--ro-bind", path, path]),
    ...temporary.flatMap((path) => ["--bind", directory, path]),
    ...real.flatMap((path) => showAgain(path, [...directories, ...temporary])),
    ...files.flatMap((path) => ["--ro-bind", "/dev/null", path]),
    ...directories.flatMap((path) => ["--remount-ro", path]),
  ];
}

const TEMPORARY = [VIEW_TEMPORARY, "/var/tmp"];
const HOMES = ["/root", "/home"];
const RUN = "/run";
/** What /etc/resolv.conf may lead to. */
const NAME_RESOLUTION = ["systemd/resolve", "resolvconf", "NetworkManager/resolv.conf"].map(
  (name) => `${RUN}/${name}`,
);
/** Home directories of system users may be these; nothing runs without them. */
const NEVER_CONCEALED = new Set(
  "/ /usr /bin /sbin /lib /lib64 /etc /var /dev /proc /sys /tmp /var/tmp".split(" "),
);

/** Outermost paths only: what is below a concealed directory is gone with it. */
function concealedPaths(wanted: readonly (string | undefined)[]): string[] {
  const paths = [...HOMES, RUN, ownHome(), ...wanted]
    .map((path) => (path === undefined ? undefined : realPath(path)))
    .filter((path) => path !== undefined)
    .filter((path) => !NEVER_CONCEALED.has(path));
  return [...new Set(paths)].filter(
    (path) =>
      !paths.some((other) => isBelow(path, other)) && !TEMPORARY.some((other) => isBelow(path, other)),
  );
}

/** A needed path inside a directory that has become another one: made there again, with open directories above it. */
function showAgain(path: string, replaced: readonly string[]): readonly string[] {
  const above = replaced.find((directory) => isBelow(path, directory));
  if (above === undefined) return [];
  const parents: string[] = [];
  for (let at = dirname(path); at !== above; at = dirname(at)) parents.unshift(at);
  return [...parents.flatMap((parent) => ["--dir", parent]), "--ro-bind", path, path];
}

/** The outermost directory above `path` that other users cannot enter. */
function closedAncestor(path: string): string | undefined {
  let closed: string | undefined;
  for (let at = dirname(path); at !== "/"; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) closed = at;
  }
  return closed;
}

function ownHome(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    // A user without an entry in the user database has no home.
    return undefined;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path).isDirectory();
}

function isRealDirectory(path: string): boolean {
  return realPath(path) === path && isDirectory(path);
}

function isBelow(path: string, directory: string): boolean {
  return path !== directory && path.startsWith(directory === "/" ? "/" : `${directory}/`);
}
