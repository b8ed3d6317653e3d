import { usageError } from "../arguments/usage-error.ts";

/**
 * The environment of a workload from arguments `KEY=VALUE` or `KEY:VALUE`, split at whichever sign comes first. A later
 * argument replaces an earlier one.
 *
 * @throws {NexError} `USAGE`
 */
export function parseEnvironmentArguments(items: readonly string[]): Record<string, string> {
  const entries = items.map((item): [string, string] => {
    const at = item.search(/[=:]/);
    if (at <= 0) throw usageError(`expected KEY=VALUE got '${item}'`);
    return [item.slice(0, at), item.slice(at + 1)];
  });
  return Object.fromEntries(entries);
}

/** The arguments of a workload from `--argv`: one text, split at single spaces. */
export function parseArgv(text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : text.split(" ");
}
