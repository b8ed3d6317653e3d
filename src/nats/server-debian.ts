import { join } from "node:path";
import { openDebianSuite } from "../lib/debian-suite.ts";
import { errorText, NexError } from "../lib/errors.ts";
import type { SourceContext } from "./server-source.ts";
import { natsServerVersion } from "./server-version.ts";
import { pathExists } from "../lib/path-exists.ts";

/** Newest first: what a suite ships runs on older systems too (and is tried before it is used). */
const SUITES = ["sid", "trixie", "bookworm"];

/** Unpacks Debian's package. */
export async function debianServer(context: SourceContext): Promise<string> {
  const reasons: string[] = [];
  for (const suite of SUITES) {
    try {
      context.report(`Getting Debian's nats-server from ${suite}`);
      return await fromSuite(context, suite);
    } catch (error) {
      if (error instanceof NexError && PASSED_ON.has(error.code)) throw error;
      reasons.push(`${suite} (${errorText(error)})`);
    }
  }
  throw new NexError({ code: "NATS_SERVER_UNUSABLE", message: reasons.join("; ") });
}

/** Another suite would not help: there is no apt, or nobody waits any more. */
const PASSED_ON = new Set(["ABORTED", "PROCESS_START_FAILED"]);

async function fromSuite(context: SourceContext, suite: string): Promise<string> {
  const { environment, signal } = context;
  const directory = join(context.directory, suite);
  const packages = await openDebianSuite({ suite, directory, environment, onNote: context.report, signal });
  const files = await packages.unpack("nats-server");
  for (const folder of ["usr/sbin", "usr/bin"]) {
    const path = join(files, folder, "nats-server");
    if (!(await pathExists(path))) continue;
    await natsServerVersion(path, signal);
    return path;
  }
  throw new NexError({ code: "TOOL_FAILED", message: "the package holds no nats-server" });
}
