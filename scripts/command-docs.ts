// `npm run docs:commands`: writes docs/commands.md from what the commands declare. With --check it only compares.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Flags } from "../src/cli/arguments/flag.ts";
import { globalFlags } from "../src/cli/arguments/global-flags.ts";
import { commandTable } from "../src/cli/command-table.ts";
import type { CommandEntry } from "../src/cli/command-table.ts";
import { argumentHelp, argumentText, flagHelp, flagText } from "../src/cli/help.ts";

const target = join(import.meta.dirname, "..", "docs", "commands.md");

const INTRODUCTION = `# Commands

This page is made of what the commands declare (\`npm run docs:commands\`); \`nex COMMAND --help\` shows the same. The examples are run
by a test. Flags may stand anywhere; \`--flag value\` and \`--flag=value\` mean the same; \`@file\` stands for the lines of a file; durations
are written like \`750ms\`, \`2s\`, \`1h30m\` or \`1d\`. A flag beats its environment variable, which beats its default.

Results go to stdout, everything else to stderr. A failure exits with 1 and prints its cause and the next step;
[errors.md](errors.md) lists them. What \`--json\` prints is described in [json-output.md](json-output.md).`;

const text = await commandsPage();
if (!process.argv.includes("--check")) await writeFile(target, text);
else if ((await readFile(target, "utf8").catch(() => "")) !== text) {
  console.error("docs/commands.md is not up to date: npm run docs:commands");
  process.exitCode = 1;
}

/** The whole page. */
async function commandsPage(): Promise<string> {
  const commands = commandTable.flatMap((entry) =>
    entry.kind === "command"
      ? [{ name: entry.name, entry }]
      : entry.entries.map((inner) => ({ name: `${entry.name} ${inner.name}`, entry: inner })),
  );
  const pages = await Promise.all(commands.map(async ({ name, entry }) => commandPage(name, entry)));
  const listed = commands.map(
    ({ name, entry }) => `- [\`nex ${name}\`](#nex-${name.replaceAll(" ", "-")}): ${sentence(entry.summary)}`,
  );
  return `${[INTRODUCTION, listed.join("\n"), `## Global flags\n\nEvery command has them.\n\n${flagList(globalFlags)}`, ...pages].join("\n\n")}\n`;
}

async function commandPage(name: string, entry: CommandEntry): Promise<string> {
  const command = await entry.load();
  const words = Object.entries(command.arguments).map(([word, argument]) => argumentText(word, argument));
  const flags = Object.keys(command.flags).length === 0 ? [] : ["[flags]"];
  const argumentList = Object.entries(command.arguments).map(
    ([word, argument]) => `- \`${argumentText(word, argument)}\`: ${escaped(argumentHelp(argument))}`,
  );
  const variables = Object.values(command.flags).flatMap(({ env }) =>
    env === undefined ? [] : [`\`${env}\``],
  );
  return [
    `## nex ${name}`,
    escaped(command.description),
    fenced("text", ["nex", name, ...words, ...flags].join(" ")),
    entry.aliases.length === 0
      ? ""
      : `Also called ${entry.aliases.map((alias) => `\`${alias}\``).join(", ")}.`,
    argumentList.join("\n"),
    flagList(command.flags),
    variables.length === 0
      ? ""
      : `Environment variables: ${variables.join(", ")}, besides those of the global flags.`,
    command.examples.length === 0
      ? ""
      : fenced("sh", command.examples.map((example) => `nex ${example}`).join("\n")),
    command.json === undefined
      ? ""
      : `With \`--json\`, of the type [\`${typeName(name)}\`](json-output.md#nex-${name.replaceAll(" ", "-")}):\n\n${fenced("text", command.json)}`,
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function flagList(flags: Flags): string {
  return Object.entries(flags)
    .map(([name, flag]) => `- \`${flagText(name, flag).trim()}\`: ${escaped(flagHelp(flag))}`)
    .join("\n");
}

function typeName(name: string): string {
  return name.replaceAll(/(?:^| )([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function fenced(language: string, content: string): string {
  return `\`\`\`${language}\n${content}\n\`\`\``;
}

function sentence(summary: string): string {
  return escaped(summary.charAt(0).toLowerCase() + summary.slice(1));
}

/** What Markdown would take for markup stands as it is. */
function escaped(text: string): string {
  return text.replaceAll(/[*_<>[\]]/g, String.raw`\$&`);
}
