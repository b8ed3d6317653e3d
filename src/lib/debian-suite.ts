import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NexError } from "./errors.ts";
import { runTool } from "./run-tool.ts";
import { pathExists } from "./path-exists.ts";

/** Debian packages of one suite, unpacked without installing anything: no root, no change to the system. */
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
  readonly signal: AbortSignal | undefined;
}

const FALLBACK_MIRROR = "http://deb.debian.org/debian/";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const STEP_LIMIT_MS = 2 * 60_000;

/**
 * Reads the lists of a suite with apt (which checks signatures) and a state of its own.
 *
 * @throws {NexError} `PROCESS_START_FAILED` when there is no apt, `TOOL_FAILED`, `TIMEOUT`, `ABORTED`
 */
export async function openDebianSuite(options: DebianSuiteOptions): Promise<DebianSuite> {
  const { suite, directory: root } = options;
  const run = toolsOf(options);
  await run("dpkg-deb", ["--version"]);
  const mirror = await systemMirror(run);
  const acquire = await run("apt-config", ["dump", "Acquire"]);
  for (const folder of ["lists/partial", "cache/archives/partial"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  const trust = (await pathExists(KEYRING)) ? ` [signed-by=${KEYRING}]` : "";
  await writeFile(join(root, "status"), "");
  await writeFile(join(root, "sources.list"), `deb${trust} ${mirror} ${suite} main\n`);
  await writeFile(join(root, "apt.conf"), aptConfiguration(root, acquire));
  const settings = { workingDirectory: root, environment: { APT_CONFIG: join(root, "apt.conf") } };
  await run("apt-get", ["update", "--error-on=any"], settings);
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

/** The mirror that this system gets Debian from, else the public one. */
async function systemMirror(run: RunTool): Promise<string> {
  const targets = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)"]).catch(() => "");
  return targets.split("\n").find((uri) => /\/debian\/?$/.test(uri)) ?? FALLBACK_MIRROR;
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
