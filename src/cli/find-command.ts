import { isArgumentFile, readArgumentFile } from "./arguments/argument-file.ts";
import { didYouMean } from "./arguments/did-you-mean.ts";
import type { Flags } from "./arguments/flag.ts";
import { looksLikeFlag } from "./arguments/tokens.ts";
import { usageError } from "./arguments/usage-error.ts";
import type { CommandEntry, CommandGroup } from "./command-table.ts";

/** What a command line asks for, before the flags of the command are known. */
export interface FoundCommand {
  /** Undefined when the line names no command. */
  readonly entry: CommandEntry | CommandGroup | undefined;
  /** The words that name it, as typed. */
  readonly path: readonly string[];
  /** Its full name, aliases resolved. */
  readonly name: string;
  readonly helpWanted: boolean;
  readonly versionWanted: boolean;
  /** The line without the flags for help and version, `@file` before the command replaced. */
  readonly argv: readonly string[];
}

interface Words {
  readonly path: string[];
  entry: CommandEntry | CommandGroup | undefined;
}

/**
 * Finds the command in a line in which flags may stand anywhere, also those of the command before its name.
 *
 * @throws {NexError} `USAGE` for a word that is no command
 */
export function findCommand(
  argv: readonly string[],
  table: readonly (CommandEntry | CommandGroup)[],
  flags: Flags,
): FoundCommand {
  const words: Words = { path: [], entry: undefined };
  const rest: string[] = [];
  const items = [...argv];
  let helpWanted = false;
  let versionWanted = false;
  let unknown: string | undefined;
  while (items.length > 0) {
    const item = items.shift() ?? "";
    const searching = words.entry?.kind !== "command" && unknown === undefined;
    if (item === "--") {
      rest.push(item, ...items);
      break;
    }
    if (item === "-h" || item === "--help") helpWanted = true;
    else if (item === "--version") versionWanted = true;
    else if (searching && isArgumentFile(item)) items.unshift(...readArgumentFile(item));
    else {
      rest.push(item);
      if (takesNext(item, items[0], flags, searching ? candidates(words, table) : undefined)) {
        rest.push(items.shift() ?? "");
      } else if (searching && !looksLikeFlag(item) && !step(words, item, table)) unknown = item;
    }
  }
  if (unknown !== undefined && !helpWanted && !versionWanted) {
    throw usageError(`expected command but got '${unknown}'${didYouMean(unknown, candidates(words, table))}`);
  }
  const name = fullName(words, table);
  return { entry: words.entry, path: words.path, name, helpWanted, versionWanted, argv: rest };
}

/** Whether `item` is a flag whose value is the next item. Flags of the command are not known yet: then a guess. */
function takesNext(
  item: string,
  next: string | undefined,
  flags: Flags,
  commandNames: readonly string[] | undefined,
): boolean {
  if (next === undefined || !looksLikeFlag(item) || looksLikeFlag(next) || item.includes("=")) return false;
  const known = item.startsWith("--")
    ? flags[item.slice(2)]
    : Object.values(flags).find((flag) => flag.short === item.slice(1));
  if (known !== undefined) return known.kind !== "boolean";
  return commandNames !== undefined && !item.startsWith("--no-") && !commandNames.includes(next);
}

function entriesAt(
  { entry }: Words,
  table: readonly (CommandEntry | CommandGroup)[],
): readonly (CommandEntry | CommandGroup)[] {
  return entry?.kind === "group" ? entry.entries : table;
}

function candidates(words: Words, table: readonly (CommandEntry | CommandGroup)[]): string[] {
  return entriesAt(words, table).flatMap((entry) => [entry.name, ...entry.aliases]);
}

function step(words: Words, item: string, table: readonly (CommandEntry | CommandGroup)[]): boolean {
  const found = entriesAt(words, table).find((entry) => entry.name === item || entry.aliases.includes(item));
  if (found === undefined) return false;
  words.entry = found;
  words.path.push(item);
  return true;
}

function fullName({ path, entry }: Words, table: readonly (CommandEntry | CommandGroup)[]): string {
  const group =
    path.length < 2
      ? undefined
      : table.find(({ name, aliases }) => [name, ...aliases].includes(path[0] ?? ""));
  return [group?.name, entry?.name].filter((part) => part !== undefined).join(" ");
}
