import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText, NexError } from "./errors.ts";
import { runTool, throwIfAborted } from "./run-tool.ts";
import { pathExists } from "./path-exists.ts";

/**
 * Debian packages of one suite with its updates, the newest of each, unpacked without installing anything: no root, no
 * change to the system.
 */
export interface DebianSuite {
  /** Names of the packages that a package needs, alternatives included. */
  dependencies(name: string): Promise<string[]>;
  /** Downloads a package and returns the folder of its unpacked files. */
  unpack(name: string): Promise<string>;
}

export interface DebianSuiteOptions {
  /** Such as `bookworm`. */
  readonly suite: string;
  /** Empty; holds apt's state and what is unpacked. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Whose signatures are good. Default: Debian's, where they are installed, else those that apt trusts. */
  readonly keyring?: string;
  /** Told which updates are left out, and why. */
  readonly onNote?: (text: string) => void;
  readonly signal: AbortSignal | undefined;
}

const FALLBACK_MIRROR = "http://deb.debian.org/debian/";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** It gets its updates directly. */
const UNSTABLE = "sid";
const STEP_LIMIT_MS = 2 * 60_000;

/**
 * Reads the lists of a suite with apt (which checks signatures) and a state of its own: from the mirrors that this system
 * uses, with its security and other updates as far as they can be had.
 *
 * @throws {NexError} `PROCESS_START_FAILED` when there is no apt, `TOOL_FAILED`, `TIMEOUT`, `ABORTED`
 */
export async function openDebianSuite(options: DebianSuiteOptions): Promise<DebianSuite> {
  const { directory: root, keyring = KEYRING } = options;
  const run = toolsOf(options);
  await run("dpkg-deb", ["--version"]);
  const archives = await archivesOf(options.suite, run);
  const acquire = await run("apt-config", ["dump", "Acquire"]);
  for (const folder of ["lists/partial", "cache/archives/partial"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  const trust = (await pathExists(keyring)) ? ` [signed-by=${keyring}]` : "";
  const sources = archives.map(({ mirror, suite }) => `deb${trust} ${mirror} ${suite} main\n`);
  await writeFile(join(root, "status"), "");
  await writeFile(join(root, "sources.list"), sources.join(""));
  await writeFile(join(root, "apt.conf"), aptConfiguration(root, acquire));
  const settings = { workingDirectory: root, environment: { APT_CONFIG: join(root, "apt.conf") } };
  try {
    await run("apt-get", ["update", "--error-on=any"], settings);
  } catch (error) {
    throwIfAborted(options.signal);
    const missing = await withoutLists(root, archives);
    if (missing.includes(options.suite) || missing.length === 0) throw error;
    options.onNote?.(`Without ${missing.join(" and ")}: ${errorText(error)}`);
  }
  return {
    dependencies: async (name) => {
      const lines = (await run("apt-cache", ["depends", "--important", name], settings)).split("\n");
      return lines.flatMap((line) => /Depends: ([^\s<>]+)/.exec(line)?.[1] ?? []);
    },
    unpack: async (name) => {
      const folder = join(root, "packages", name);
      await mkdir(folder, { recursive: true });
      const inFolder = { ...settings, workingDirectory: folder };
      await run("apt-get", ["download", name], inFolder);
      const archive = (await readdir(folder)).find((entry) => entry.endsWith(".deb"));
      if (archive === undefined)
        throw new NexError({ code: "TOOL_FAILED", message: "apt-get brought no package" });
      await run("dpkg-deb", ["--extract", archive, "files"], inFolder);
      return join(folder, "files");
    },
  };
}

type RunTool = (program: string, argv: readonly string[], options?: ToolOptions) => Promise<string>;

interface ToolOptions {
  readonly workingDirectory?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

function toolsOf(context: DebianSuiteOptions): RunTool {
  return (program, argv, { environment, ...options } = {}) =>
    runTool({
      program,
      argv,
      environment: { ...context.environment, LC_ALL: "C", ...environment },
      timeoutMs: STEP_LIMIT_MS,
      signal: context.signal,
      ...options,
    });
}

/** A suite as one of the archives has it. */
interface Archive {
  readonly mirror: string;
  readonly suite: string;
}

/** The suite itself first. Security updates are beside it, where this system knows no other place. */
async function archivesOf(suite: string, run: RunTool): Promise<readonly Archive[]> {
  // Unlike `indextargets`, it also names what was never fetched.
  const listed = await run("apt-get", ["update", "--print-uris"]).catch(() => "");
  const uris = [...listed.matchAll(/^'(\S+\/)dists\//gm)].map(([, uri = ""]) => uri);
  const mirror = uris.find((uri) => uri.endsWith("/debian/")) ?? FALLBACK_MIRROR;
  if (suite === UNSTABLE) return [{ mirror, suite }];
  const security =
    uris.find((uri) => uri.endsWith("/debian-security/")) ?? mirror.replace(/debian\/$/, "debian-security/");
  return [
    { mirror, suite },
    { mirror, suite: `${suite}-updates` },
    { mirror: security, suite: `${suite}-security` },
  ];
}

/** The suites whose lists apt did not get, or did not believe. */
async function withoutLists(root: string, archives: readonly Archive[]): Promise<readonly string[]> {
  const lists = await readdir(join(root, "lists"));
  return archives
    .map(({ suite }) => suite)
    .filter(
      (suite) => !lists.some((name) => /_(?:In)?Release$/.test(name) && name.includes(`_dists_${suite}_`)),
    );
}

/** Keeps apt away from the system: neither its lists and caches nor its hooks, only its transport settings. */
function aptConfiguration(root: string, acquire: string): string {
  return [
    acquire,
    'Acquire::Languages "none";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "15";',
    'Acquire::https::Timeout "15";',
    'Dir::Etc::Main "/dev/null";',
    'Dir::Etc::Parts "/dev/null";',
    'Dir::Etc::SourceParts "/dev/null";',
    'Dir::Etc::PreferencesParts "/dev/null";',
    `Dir::Etc::SourceList "${root}/sources.list";`,
    `Dir::State "${root}";`,
    `Dir::State::Lists "${root}/lists";`,
    `Dir::State::status "${root}/status";`,
    `Dir::Cache "${root}/cache";`,
    'APT::Sandbox::User "";',
    "",
  ].join("\n");
}
