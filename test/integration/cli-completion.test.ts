// The completion scripts, run by the shells they are for.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { runNex } from "../support/run-nex.ts";

const run = promisify(execFile);

/** A line up to the cursor, words that are offered, and words that are not. */
interface Case {
  readonly line: string;
  readonly offers: readonly string[];
  readonly never?: readonly string[];
}

const cases: readonly Case[] = [
  { line: "nex ", offers: ["devrun", "yeet", "node", "context", "completion"], never: ["ls", "--server"] },
  { line: "nex no", offers: ["node", "nodes"], never: ["devrun"] },
  { line: "nex node ", offers: ["up", "ls", "info"], never: ["devrun", "version"] },
  { line: "nex nodes ", offers: ["up", "ls", "info"] },
  { line: "nex --loglevel debug node ", offers: ["up", "ls"], never: ["devrun"] },
  { line: "nex -s nats://h:4222 node ", offers: ["up", "ls"], never: ["devrun"] },
  { line: "nex node ls --f", offers: ["--full"], never: ["--force"] },
  { line: "nex devrun --no-", offers: ["--no-stop", "--no-essential"], never: ["--no-sandbox"] },
  { line: "nex devrun --type ", offers: ["native", "v8", "wasm"], never: ["devrun", "echo.js"] },
  { line: "nex devrun --type w", offers: ["wasm"], never: ["v8"] },
  { line: "nex --loglevel ", offers: ["none", "debug", "info", "warn", "error"], never: ["devrun"] },
  { line: "nex completion ", offers: ["bash", "zsh", "fish"], never: ["echo.js"] },
  { line: "nex completion f", offers: ["fish"], never: ["bash"] },
  { line: "nex devrun ec", offers: ["echo.js"], never: ["echo dir"] },
  { line: "nex --context ", offers: ["production"], never: ["echo.js"] },
  { line: "nex context show p", offers: ["production"] },
];

describe("nex completion", { concurrency: false }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "nex-test-completion-"));
    await mkdir(join(folder, ".config", "nats", "context"), { recursive: true });
    await writeFile(join(folder, ".config", "nats", "context", "production.json"), "{}");
    await writeFile(join(folder, "echo.js"), "");
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, stdout, stderr } = await runNex(["completion", shell]);
      assert.deepEqual([code, stderr], [0, ""]);
      await writeFile(join(folder, `nex.${shell}`), stdout);
    }
  });
  after(async () => rm(folder, { recursive: true, force: true }));

  for (const { line, offers, never = [] } of cases) {
    test(`bash completes "${line}"`, withShell("bash"), async () => {
      check(await bash(folder, line), offers, never);
    });
    test(`fish completes "${line}"`, withShell("fish"), async () => {
      check(await fish(folder, line), offers, never);
    });
    test(`zsh completes "${line}"`, withShell("zsh"), async () => {
      check(await zsh(folder, line), offers, never);
    });
  }

  test("bash completes a value behind =, which it hands over as a word", withShell("bash"), async () => {
    assert.deepEqual(await bash(folder, "nex devrun --type=w"), ["wasm"]);
    assert.deepEqual(await bash(folder, "nex devrun --type="), ["native", "v8", "wasm"]);
    assert.deepEqual(await bash(folder, "nex devrun --type=v8 ec"), ["echo.js"]);
    assert.deepEqual(await bash(folder, "nex devrun --type=w", ' \t\n"><;|&(:'), ["--type=wasm"]);
  });

  test("an unknown shell is an error that names the known ones", async () => {
    const { code, stderr } = await runNex(["completion", "tcsh"]);
    assert.deepEqual(
      [code, stderr],
      [1, "nex: error: argument 'shell' must be one of bash, zsh, fish, got 'tcsh', try --help\n"],
    );
  });
});

function check(found: readonly string[], offers: readonly string[], never: readonly string[]): void {
  const names = new Set(found.map((name) => name.replace(/=$/, "")));
  for (const name of offers) assert.ok(names.has(name), `${name} is missing from: ${found.join(" ")}`);
  for (const name of never) assert.ok(!names.has(name), `${name} is in: ${found.join(" ")}`);
}

/** Splits the line as bash does for completion, calls the function and returns its replies. */
async function bash(folder: string, line: string, breaks = " \t\n\"'><=;|&(:"): Promise<string[]> {
  const pieces = line.split(/(\s+)/).flatMap((piece) => {
    if (/^\s+$/.test(piece)) return [];
    return breaks.includes("=") ? piece.split(/(=)/).filter((part) => part !== "") : [piece];
  });
  if (/\s$/.test(line)) pieces.push("");
  const script = `source ./nex.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _nex
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return lines(await shell(folder, "bash", ["--norc", "-c", script, "bash", ...pieces]));
}

async function fish(folder: string, line: string): Promise<string[]> {
  const script = `source ./nex.fish; complete -C "$line"`;
  const printed = await shell(folder, "fish", ["--no-config", "-c", script], { line });
  return lines(printed).map((each) => each.split("\t", 1)[0] ?? "");
}

/** What zsh's completion system offers to functions, as far as it is used: here it prints what would be offered. */
const ZSH_STANDINS = String.raw`compdef() { :; }
prefix="$words[CURRENT]"
offer() { local each; for each in "$@"; do [[ "$each" == "$prefix"* ]] && print -r -- "$each"; done }
_describe() {
  [[ "$1" == "-o" ]] && shift
  shift
  local array each
  for array in "$@"; do
    [[ "$array" == "--" || "$array" == "-S" || -z "$array" ]] && continue
    for each in "\${(@P)array}"; do offer "\${each%%:*}"; done
  done
}
compadd() { [[ "$1" == "-a" ]] && offer "\${(@P)2}" || { shift; offer "$@"; } }
compset() { prefix="\${prefix#*=}"; }
_files() { offer *(N); }
_message() { :; }
`.replaceAll("\\$", "$");

/** The function itself in a real zsh, with the line split as zsh does. */
async function zsh(folder: string, line: string): Promise<string[]> {
  const words = line.split(/\s+/);
  const script = `words=("$@"); CURRENT=$#
${ZSH_STANDINS}
source ./nex.zsh
_nex
true`;
  return lines(await shell(folder, "zsh", ["-f", "-c", script, "zsh", ...words]));
}

async function shell(
  folder: string,
  program: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { PATH, LD_LIBRARY_PATH } = process.env;
  const env = {
    PATH,
    LD_LIBRARY_PATH,
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, ".config"),
    ...environment,
  };
  const { stdout } = await run(program, [...argv], { cwd: folder, env, timeout: 20_000 });
  return stdout;
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function withShell(name: string): { readonly skip?: string } {
  const found = (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ? {} : { skip: `${name} is not installed` };
}
