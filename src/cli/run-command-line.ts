import { SystemLog } from "../node/system-log.ts";
import type { CommandContext, Environment } from "./command.ts";
import { globalFlags } from "./arguments/global-flags.ts";
import type { GlobalFlagValues } from "./arguments/global-flags.ts";
import { parseArguments } from "./arguments/parse-arguments.ts";
import { usageError } from "./arguments/usage-error.ts";
import { readBuildInformation, versionText } from "./build-information.ts";
import { commandTable } from "./command-table.ts";
import type { CommandGroup } from "./command-table.ts";
import { createCommandLogger } from "./command-logger.ts";
import { findCommand } from "./find-command.ts";
import type { FoundCommand } from "./find-command.ts";
import { createOutput } from "./output/output.ts";
import type { TextStream } from "./output/output.ts";

/** What a command line runs in. */
export interface CommandLine {
  /** Without the program's name. */
  readonly argv: readonly string[];
  readonly environment: Environment;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Aborted when the command shall end gracefully. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command line to its end: a command, its help, the usage or the version.
 *
 * @throws {NexError} whatever made it fail; nothing is left behind
 */
export async function runCommandLine(line: CommandLine): Promise<void> {
  const output = createOutput(line.stdout, line.stderr);
  const found = findCommand(line.argv, commandTable, globalFlags);
  const build = readBuildInformation();
  if (found.helpWanted) {
    output.line(await helpText(found));
    return;
  }
  if (found.versionWanted) {
    output.line(versionText(build));
    return;
  }
  if (found.entry?.kind !== "command") {
    parseArguments(found.argv, { path: found.path, flags: globalFlags, arguments: {}, environment: {} });
    if (found.entry !== undefined) throw usageError(subcommandExpected(found.entry));
    output.line(await helpText(found));
    return;
  }
  const command = await found.entry.load();
  const parsed = parseArguments(found.argv, {
    path: found.path,
    flags: { ...globalFlags, ...command.flags },
    arguments: command.arguments,
    environment: line.environment,
  });
  // The parser fills the values from these very declarations.
  const global = parsed.flags as GlobalFlagValues;
  const systemLog = command.logsToNats ? new SystemLog() : undefined;
  const context: CommandContext = {
    flags: parsed.flags,
    arguments: parsed.arguments as CommandContext["arguments"],
    global,
    sources: parsed.sources,
    output,
    logger: createCommandLogger({
      flags: global,
      sources: parsed.sources,
      environment: line.environment,
      stderr: line.stderr,
      systemLog,
    }),
    systemLog,
    signal: line.signal,
    environment: line.environment,
    build,
  };
  await command.run(context);
}

async function helpText(found: FoundCommand): Promise<string> {
  const { commandHelp, groupHelp, usage } = await import("./help.ts");
  if (found.entry === undefined) return usage(commandTable, readBuildInformation());
  if (found.entry.kind === "group") return groupHelp(found.entry);
  return commandHelp(found.name, found.entry, await found.entry.load());
}

function subcommandExpected(group: CommandGroup): string {
  return `expected a command after '${group.name}': one of ${group.entries.map(({ name }) => name).join(", ")}`;
}
