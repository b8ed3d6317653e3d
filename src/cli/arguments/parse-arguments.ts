import type { Arguments, Flags, ValueSource } from "./flag.ts";
import { defaultValue, oneOf, parseEnvironmentValue, parseFlagValue } from "./flag-value.ts";
import type { ParsedValue } from "./flag-value.ts";
import { tokenize } from "./tokens.ts";
import { usageError } from "./usage-error.ts";

/** What a command line has to look like. */
export interface ArgumentsGrammar {
  /** Words that lead to the command, aliases as typed; they come first among the words. */
  readonly path: readonly string[];
  readonly flags: Flags;
  readonly arguments: Arguments;
  /** Order: flag, environment, default. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A parsed command line, not yet typed by its declarations. */
export interface ParsedArguments {
  readonly flags: Readonly<Record<string, ParsedValue>>;
  readonly sources: Readonly<Record<string, ValueSource>>;
  readonly arguments: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Parses a command line strictly.
 *
 * @throws {NexError} `USAGE`: unknown flag, missing or surplus argument, value of the wrong form
 */
export function parseArguments(argv: readonly string[], grammar: ArgumentsGrammar): ParsedArguments {
  const given = new Map<string, ParsedValue>();
  const words: string[] = [];
  for (const token of tokenize(argv, grammar.flags)) {
    if (token.kind === "word") words.push(token.text);
    else collect(given, token.name, tokenValue(token, grammar.flags));
  }
  const unexpected = grammar.path.findIndex((name, index) => words[index] !== name);
  if (unexpected !== -1) {
    throw usageError(`expected command '${grammar.path.join(" ")}' but got '${words[unexpected] ?? ""}'`);
  }
  const positional = assign(words.slice(grammar.path.length), grammar.arguments);
  return { ...resolve(given, grammar), arguments: positional };
}

function tokenValue(
  token: { readonly name: string; readonly value: string | undefined; readonly negated: boolean },
  flags: Flags,
): ParsedValue {
  const flag = flags[token.name];
  if (flag === undefined || flag.kind === "boolean") return !token.negated;
  return parseFlagValue(flag, token.value ?? "", `flag '--${token.name}'`);
}

function collect(given: Map<string, ParsedValue>, name: string, value: ParsedValue): void {
  const before = given.get(name);
  if (Array.isArray(value) && Array.isArray(before)) {
    given.set(name, [...before, ...value]);
    return;
  }
  if (before !== undefined && before !== value) throw usageError(`flag '--${name}' cannot be repeated`);
  given.set(name, value);
}

function resolve(
  given: ReadonlyMap<string, ParsedValue>,
  { flags, environment }: ArgumentsGrammar,
): Pick<ParsedArguments, "flags" | "sources"> {
  const values: Record<string, ParsedValue> = {};
  const sources: Record<string, ValueSource> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const variable = flag.env === undefined ? undefined : environment[flag.env];
    if (given.has(name)) {
      values[name] = given.get(name);
      sources[name] = "flag";
    } else if (variable !== undefined && variable !== "") {
      values[name] = parseEnvironmentValue(flag, variable);
      sources[name] = "environment";
    } else if (flag.required === true) {
      throw usageError(`required flag --${name} not provided`);
    } else {
      values[name] = defaultValue(flag);
      sources[name] = "default";
    }
  }
  return { flags: values, sources };
}

function assign(words: readonly string[], declared: Arguments): ParsedArguments["arguments"] {
  const values: Record<string, string | readonly string[] | undefined> = {};
  let next = 0;
  for (const [name, argument] of Object.entries(declared)) {
    if (argument.repeated === true) {
      values[name] = words.slice(next);
      next = Math.max(next, words.length);
    } else {
      const word = words[next++];
      values[name] = word === undefined ? undefined : oneOf(word, argument.choices, `argument '${name}'`);
    }
    const missing = argument.repeated === true ? words.length === 0 : values[name] === undefined;
    if (missing && argument.required !== false) throw usageError(`required argument '${name}' not provided`);
  }
  if (next < words.length) throw usageError(`unexpected argument '${words[next]}'`);
  return values;
}
