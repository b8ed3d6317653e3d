import { access, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText, NexError } from "../lib/errors.ts";
import { runTool } from "./run-tool.ts";
import type { SourceContext } from "./server-source.ts";
import { natsServerVersion } from "./server-version.ts";

/** Newest first: what a suite ships runs on older systems too (and is tried before it is used). */
const SUITES = ["sid", "trixie", "bookworm"];
const FALLBACK_MIRROR = "http://deb.debian.org/debian/";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const STEP_LIMIT_MS = 2 * 60_000;

/** Unpacks Debian's package, fetched by apt (which checks signatures) with a state of its own: no root, no system change. */
export async function debianServer(context: SourceContext): Promise<string> {
  const run = toolsOf(context);
  await run("dpkg-deb", ["--version"]);
  const mirror = await systemMirror(run);
  const acquire = await run("apt-config", ["dump", "Acquire"]);
  const reasons: string[] = [];
  for (const suite of SUITES) {
    try {
      context.report(`Getting Debian's nats-server from ${suite}`);
      return await fromSuite({ context, run, suite, mirror, acquire });
    } catch (error) {
      if (error instanceof NexError && error.code === "ABORTED") throw error;
      reasons.push(`${suite} (${errorText(error)})`);
    }
  }
  throw new NexError({ code: "NATS_SERVER_UNUSABLE", message: reasons.join("; ") });
}

type RunTool = (program: string, argv: readonly string[], options?: ToolOptions) => Promise<string>;

interface ToolOptions {
  readonly workingDirectory?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

function toolsOf(context: SourceContext): RunTool {
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

interface SuiteRun {
  readonly context: SourceContext;
  readonly run: RunTool;
  readonly suite: string;
  readonly mirror: string;
  /** The system's transport settings (proxies), in apt's format. */
  readonly acquire: string;
}

async function fromSuite({ context, run, suite, mirror, acquire }: SuiteRun): Promise<string> {
  const root = join(context.directory, suite);
  for (const folder of ["lists/partial", "cache/archives/partial", "package"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  const trust = (await exists(KEYRING)) ? ` [signed-by=${KEYRING}]` : "";
  await writeFile(join(root, "status"), "");
  await writeFile(join(root, "sources.list"), `deb${trust} ${mirror} ${suite} main\n`);
  await writeFile(join(root, "apt.conf"), aptConfiguration(root, acquire));
  const options = { workingDirectory: root, environment: { APT_CONFIG: join(root, "apt.conf") } };
  await run("apt-get", ["update", "--error-on=any"], options);
  await run("apt-get", ["download", "nats-server"], options);
  const archive = (await readdir(root)).find((name) => name.endsWith(".deb"));
  if (archive === undefined)
    throw new NexError({ code: "TOOL_FAILED", message: "apt-get brought no package" });
  await run("dpkg-deb", ["--extract", join(root, archive), join(root, "package")], options);
  for (const folder of ["usr/sbin", "usr/bin"]) {
    const path = join(root, "package", folder, "nats-server");
    if (!(await exists(path))) continue;
    await natsServerVersion(path, context.signal);
    return path;
  }
  throw new NexError({ code: "TOOL_FAILED", message: "the package holds no nats-server" });
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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
