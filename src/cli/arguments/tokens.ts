import { isArgumentFile, readArgumentFile } from "./argument-file.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { Flag, Flags } from "./flag.ts";
import { usageError } from "./usage-error.ts";

/** One piece of a command line. A flag's `value` is undefined for switches; `negated` tells `--no-…`. */
export type Token =
  | { readonly kind: "word"; readonly text: string }
  | {
      readonly kind: "flag";
      readonly name: string;
      readonly value: string | undefined;
      readonly negated: boolean;
    };

/**
 * Splits a command line into words and flags. Flags may stand anywhere before `--`; an argument `@file` is replaced by
 * the lines of the file, which may hold flags, too.
 *
 * @throws {NexError} `USAGE`
 */
export function tokenize(argv: readonly string[], flags: Flags): Token[] {
  const tokens: Token[] = [];
  const items = [...argv];
  let expandFrom = 0;
  for (let index = 0; index < items.length; index++) {
    const item = items[index] ?? "";
    if (item === "--") {
      tokens.push(...items.slice(index + 1).map(word));
      break;
    }
    if (index >= expandFrom && isArgumentFile(item)) {
      const lines = readArgumentFile(item);
      items.splice(index, 1, ...lines);
      expandFrom = index + lines.length;
      index--;
    } else if (!looksLikeFlag(item)) {
      tokens.push(word(item));
    } else {
      const found = item.startsWith("--") ? longFlag(item, flags) : shortFlag(item, flags);
      const takesNext = found.flag.kind !== "boolean" && found.value === undefined;
      tokens.push(flagToken(found, takesNext ? items[++index] : found.value));
    }
  }
  return tokens;
}

/** True for `-x` and `--xyz`; a single dash is a word. */
export function looksLikeFlag(item: string): boolean {
  return item.startsWith("-") && item !== "-";
}

interface FoundFlag {
  readonly name: string;
  readonly flag: Flag;
  readonly value: string | undefined;
  readonly negated: boolean;
}

function flagToken({ name, flag, value, negated }: FoundFlag, given: string | undefined): Token {
  if (flag.kind === "boolean") {
    if (given !== undefined) throw usageError(`flag '--${name}' takes no value, got '${given}'`);
    return { kind: "flag", name, value: undefined, negated };
  }
  if (given === undefined || (value === undefined && looksLikeFlag(given))) {
    const advice = given === undefined ? "" : ` (write --${name}=${given} if '${given}' is the value)`;
    throw usageError(`expected argument for flag '--${name}'${advice}`);
  }
  return { kind: "flag", name, value: given, negated };
}

function longFlag(item: string, flags: Flags): FoundFlag {
  const equals = item.indexOf("=");
  const name = item.slice(2, equals === -1 ? undefined : equals);
  const value = equals === -1 ? undefined : item.slice(equals + 1);
  const flag = ownFlag(flags, name);
  if (flag !== undefined) return { name, flag, value, negated: false };
  const positive = name.startsWith("no-") ? ownFlag(flags, name.slice(3)) : undefined;
  if (positive?.kind === "boolean" && positive.negatable === true) {
    return { name: name.slice(3), flag: positive, value, negated: true };
  }
  throw usageError(`unknown flag '--${name}'${didYouMean(name, Object.keys(flags), "--")}`);
}

function shortFlag(item: string, flags: Flags): FoundFlag {
  const letter = item.charAt(1);
  const [name, flag] = Object.entries(flags).find(([, candidate]) => candidate.short === letter) ?? [];
  if (name === undefined || flag === undefined) {
    const long = item.slice(1).split("=", 1)[0] ?? "";
    const advice = long.length > 1 ? didYouMean(long, Object.keys(flags), "--") : "";
    throw usageError(`unknown flag '-${letter}'${advice}`);
  }
  const rest = item.slice(2);
  const value = rest === "" ? undefined : rest.startsWith("=") ? rest.slice(1) : rest;
  return { name, flag, value, negated: false };
}

function ownFlag(flags: Flags, name: string): Flag | undefined {
  return Object.hasOwn(flags, name) ? flags[name] : undefined;
}

function word(text: string): Token {
  return { kind: "word", text };
}
