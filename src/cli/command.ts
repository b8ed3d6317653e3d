import type { Logger } from "../lib/logger.ts";
import type { SystemLog } from "../node/system-log.ts";
import type { Arguments, ArgumentValues, Flags, FlagValues, ValueSource } from "./arguments/flag.ts";
import type { GlobalFlagValues } from "./arguments/global-flags.ts";
import type { BuildInformation } from "./build-information.ts";
import type { Output } from "./output/output.ts";

/** Variables of the process, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a command gets to work with; it never touches `process`. */
export interface CommandContext<F extends Flags = Flags, P extends Arguments = Arguments> {
  readonly flags: FlagValues<F>;
  readonly arguments: ArgumentValues<P>;
  /** The flags that every command has (protocol section 10.1). */
  readonly global: GlobalFlagValues;
  /** Where each flag's value came from, the global ones included. */
  readonly sources: Readonly<Record<string, ValueSource>>;
  readonly output: Output;
  readonly logger: Logger;
  /** Where `logger` writes with `--logger nats`; undefined unless the command {@link CommandSpec.logsToNats}. */
  readonly systemLog: SystemLog | undefined;
  /** Aborted, with a {@link NexError} `ABORTED` as reason, by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly environment: Environment;
  readonly build: BuildInformation;
}

/** Declaration of a command; `--help` is made of it. */
export interface CommandSpec<F extends Flags, P extends Arguments> {
  /** What it does and what to know, a few sentences; the one-line summary stands in the command table. */
  readonly description: string;
  readonly arguments?: P;
  readonly flags?: F;
  /** Command lines that work, without the leading `nex `. */
  readonly examples?: readonly string[];
  /** The documented, stable shape of what `--json` prints. */
  readonly json?: string;
  /** Whether it brings the NATS connection that `--logger nats` needs. Default false. */
  readonly logsToNats?: boolean;
  /** Resolves on success. Failures are thrown as {@link NexError}; `src/cli/main.ts` prints them. */
  readonly run: (context: CommandContext<F, P>) => Promise<void>;
}

/** A command whose declared types are checked inside and forgotten outside. */
export interface Command {
  readonly description: string;
  readonly arguments: Arguments;
  readonly flags: Flags;
  readonly examples: readonly string[];
  readonly json: string | undefined;
  readonly logsToNats: boolean;
  readonly run: (context: CommandContext) => Promise<void>;
}

/** Makes a {@link Command}; the values that `run` sees are typed by the declared flags and arguments. */
export function defineCommand<const F extends Flags = {}, const P extends Arguments = {}>(
  spec: CommandSpec<F, P>,
): Command {
  return {
    description: spec.description,
    arguments: spec.arguments ?? {},
    flags: spec.flags ?? {},
    examples: spec.examples ?? [],
    json: spec.json,
    logsToNats: spec.logsToNats ?? false,
    // The parser fills the values from these very declarations.
    run: (context) => spec.run(context as unknown as CommandContext<F, P>),
  };
}

/** The flag of every command that prints a result. */
export const jsonFlag = { kind: "boolean", help: "Print the result as JSON" } as const;
