import type { Arguments, Completion, Flag, Flags } from "../arguments/flag.ts";
import { globalFlags } from "../arguments/global-flags.ts";
import type { CommandEntry, CommandGroup } from "../command-table.ts";

/** What can stand for a value: nothing that we know of, one of some words, or the name of a thing. */
export type CompletedValue =
  | { readonly kind: "any" }
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: Completion };

/** A flag as it is typed. */
export interface CompletedFlag {
  /** With its dashes: `--server`. */
  readonly name: string;
  /** With its dash: `-s`. */
  readonly short: string | undefined;
  readonly help: string;
  /** Undefined for switches. */
  readonly value: CompletedValue | undefined;
}

/** What can follow after some words of a command line. */
export interface CompletedPlace {
  /** The command's words, aliases resolved: empty, `node`, `node ls`. */
  readonly path: string;
  /** Commands that can come next, by name and alias. */
  readonly words: readonly { readonly word: string; readonly help: string; readonly leadsTo: string }[];
  /** Besides the global ones. */
  readonly flags: readonly CompletedFlag[];
  readonly arguments: readonly CompletedValue[];
  /** Whether the last argument stands for all that remain. */
  readonly repeated: boolean;
}

/** Everything that the shells complete. */
export interface CompletionModel {
  readonly globalFlags: readonly CompletedFlag[];
  /** The first one is the beginning of the line. */
  readonly places: readonly CompletedPlace[];
}

/** Loads every command and says what can stand where. */
export async function completionModel(
  table: readonly (CommandEntry | CommandGroup)[],
): Promise<CompletionModel> {
  const groups = table.filter((entry) => entry.kind === "group");
  const commands = [
    ...table.filter((entry) => entry.kind === "command").map((entry) => ({ path: entry.name, entry })),
    ...groups.flatMap((group) =>
      group.entries.map((entry) => ({ path: `${group.name} ${entry.name}`, entry })),
    ),
  ];
  const none = { flags: [], arguments: [], repeated: false };
  return {
    globalFlags: [
      ...flagsOf(globalFlags),
      { name: "--help", short: "-h", help: "Explain the command", value: undefined },
      { name: "--version", short: undefined, help: "Print the version", value: undefined },
    ],
    places: [
      { path: "", words: wordsOf(table, ""), ...none },
      ...groups.map((group) => ({ path: group.name, words: wordsOf(group.entries, group.name), ...none })),
      ...(await Promise.all(
        commands.map(async ({ path, entry }) => {
          const command = await entry.load();
          return {
            path,
            words: [],
            flags: flagsOf(command.flags),
            arguments: argumentsOf(command.arguments),
            repeated: Object.values(command.arguments).at(-1)?.repeated === true,
          };
        }),
      )),
    ],
  };
}

function wordsOf(entries: readonly (CommandEntry | CommandGroup)[], under: string): CompletedPlace["words"] {
  return entries.flatMap(({ name, aliases, summary }) =>
    [name, ...aliases].map((word) => ({
      word,
      help: summary,
      leadsTo: under === "" ? name : `${under} ${name}`,
    })),
  );
}

function flagsOf(flags: Flags): CompletedFlag[] {
  return Object.entries(flags).flatMap(([name, flag]) => {
    const short = flag.short === undefined ? undefined : `-${flag.short}`;
    const given = { name: `--${name}`, short, help: flag.help, value: flagValue(flag) };
    if (flag.kind !== "boolean" || flag.negatable !== true) return [given];
    return [given, { ...given, name: `--no-${name}`, short: undefined }];
  });
}

function flagValue(flag: Flag): CompletedValue | undefined {
  switch (flag.kind) {
    case "boolean":
      return undefined;
    case "file":
      return { kind: "file" };
    case "string":
    case "strings":
      return textValue(flag);
    case "integer":
    case "duration":
      return { kind: "any" };
  }
}

function argumentsOf(declared: Arguments): CompletedValue[] {
  return Object.values(declared).map(textValue);
}

function textValue(declared: {
  readonly choices?: readonly string[];
  readonly completes?: Completion;
}): CompletedValue {
  if (declared.choices !== undefined) return { kind: "choices", choices: declared.choices };
  return { kind: declared.completes ?? "any" };
}
