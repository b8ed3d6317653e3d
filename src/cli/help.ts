import type { Argument, Arguments, Flag, Flags } from "./arguments/flag.ts";
import { globalFlags } from "./arguments/global-flags.ts";
import type { BuildInformation } from "./build-information.ts";
import type { Command } from "./command.ts";
import type { CommandEntry, CommandGroup } from "./command-table.ts";
import { textWidth } from "./output/text-width.ts";

const WIDTH = 80;

/** Usage of `nex` as a whole. */
export function usage(table: readonly (CommandEntry | CommandGroup)[], build: BuildInformation): string {
  const commands = table.flatMap((entry) =>
    entry.kind === "command"
      ? [commandRow(entry)]
      : entry.entries.map((inner) => commandRow(inner, entry.name)),
  );
  return sections([
    `nex ${build.version}: run services and functions on your NATS infrastructure`,
    "Usage: nex [flags] <command> [arguments]",
    block("Commands", commands),
    block("Global flags", flagRows(globalFlags)),
    'Flags may stand anywhere. "nex <command> --help" explains a command.',
  ]);
}

/** Help of a group such as `nex node`. */
export function groupHelp(group: CommandGroup): string {
  return sections([
    `Usage: nex ${group.name} <command> [arguments]`,
    `${group.summary}.${aliasText(group)}`,
    block(
      "Commands",
      group.entries.map((entry) => commandRow(entry, group.name)),
    ),
    `"nex ${group.name} <command> --help" explains a command, "nex --help" the global flags.`,
  ]);
}

/** Help of one command; `name` is its full name, e.g. `node ls`. */
export function commandHelp(name: string, entry: CommandEntry, command: Command): string {
  const words = Object.entries(command.arguments).map(([word, argument]) => argumentText(word, argument));
  return sections([
    `Usage: nex ${[name, ...words].join(" ")}${Object.keys(command.flags).length === 0 ? "" : " [flags]"}`,
    wrap(command.description, 0) + aliasText(entry),
    block("Arguments", argumentRows(command.arguments)),
    block("Flags", flagRows(command.flags)),
    block(
      "Examples",
      command.examples.map((example) => [`nex ${example}`, ""] as const),
    ),
    command.json === undefined ? "" : `Result with --json:\n  ${command.json.split("\n").join("\n  ")}`,
    'Global flags (connection, namespace, timeout, logging): see "nex --help".',
  ]);
}

type Row = readonly [left: string, right: string];

function sections(texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join("\n\n");
}

function commandRow(entry: CommandEntry, group?: string): Row {
  const name = group === undefined ? entry.name : `${group} ${entry.name}`;
  const aliases = entry.aliases.length === 0 ? "" : ` (also: ${entry.aliases.join(", ")})`;
  return [name, entry.summary + aliases];
}

function aliasText({ aliases }: CommandEntry | CommandGroup): string {
  return aliases.length === 0 ? "" : `\nAlso called ${aliases.join(", ")}.`;
}

/** An argument as the usage shows it: `<file>`, `[env…]`. */
export function argumentText(name: string, argument: Argument): string {
  const text = argument.repeated === true ? `${name}…` : name;
  return argument.required === false ? `[${text}]` : `<${text}>`;
}

function argumentRows(declared: Arguments): Row[] {
  return Object.entries(declared).map(([name, argument]) => [
    argumentText(name, argument),
    argumentHelp(argument),
  ]);
}

/** What an argument means, with the values it can have. */
export function argumentHelp({ help, choices }: Argument): string {
  return choices === undefined ? help : `${help} (one of ${choices.join(", ")})`;
}

function flagRows(flags: Flags): Row[] {
  return Object.entries(flags).map(([name, flag]) => [flagText(name, flag), flagHelp(flag)]);
}

/** A flag as it is written: `-s, --server=URL`. */
export function flagText(name: string, flag: Flag): string {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  if (flag.kind === "boolean") return `${short}--${flag.negatable === true ? "[no-]" : ""}${name}`;
  return `${short}--${name}=${flag.placeholder ?? PLACEHOLDERS[flag.kind]}`;
}

const PLACEHOLDERS = {
  string: "TEXT",
  strings: "TEXT",
  integer: "NUMBER",
  duration: "DURATION",
  file: "FILE",
} as const;

/** What a flag means, with its choices, default and variable. */
export function flagHelp(flag: Flag): string {
  const notes = [
    flag.required === true ? "required" : "",
    "choices" in flag && flag.choices !== undefined ? `one of ${flag.choices.join(", ")}` : "",
    defaultText(flag),
    flag.env === undefined ? "" : `$${flag.env}`,
  ].filter((note) => note !== "");
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join("; ")})`;
}

function defaultText(flag: Flag): string {
  const value = flag.default;
  if (value === undefined || value === false) return "";
  return `default ${Array.isArray(value) ? value.join(",") : String(value)}`;
}

function block(heading: string, rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  const widest = Math.min(26, Math.max(...rows.map(([left]) => textWidth(left))));
  const lines = rows.map(([left, right]) => {
    if (right === "") return `  ${left}`;
    const indent = widest + 4;
    const start = `  ${left}`;
    const text = wrap(right, indent);
    return textWidth(left) > widest ? `${start}\n${" ".repeat(indent)}${text}` : start.padEnd(indent) + text;
  });
  return [`${heading}:`, ...lines].join("\n");
}

/** Breaks a text at spaces; lines after the first are indented. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && textWidth(line) + 1 + textWidth(word) > WIDTH - indent) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}
