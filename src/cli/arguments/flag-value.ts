import { statSync } from "node:fs";
import { NexError } from "../../lib/errors.ts";
import { parseDuration } from "./duration.ts";
import type { Flag } from "./flag.ts";
import { usageError } from "./usage-error.ts";

/** A parsed value as the command sees it. */
export type ParsedValue = string | number | boolean | readonly string[] | undefined;

/** How a value is called in errors: the flag, or the variable it came from. */
type Label = string;

/**
 * The value of a flag that takes one, from its text.
 *
 * @throws {NexError} `USAGE`
 */
export function parseFlagValue(
  flag: Exclude<Flag, { kind: "boolean" }>,
  text: string,
  label: Label,
): ParsedValue {
  switch (flag.kind) {
    case "string":
      return oneOf(text, flag.choices, label);
    case "strings":
      return [oneOf(text, flag.choices, label)];
    case "integer":
      return integer(text, flag.min ?? Number.MIN_SAFE_INTEGER, flag.max ?? Number.MAX_SAFE_INTEGER, label);
    case "duration":
      return positiveDuration(text, label);
    case "file":
      return existingFile(text, label);
  }
}

/** The value of a flag from an environment variable; an empty variable counts as not set. */
export function parseEnvironmentValue(flag: Flag, text: string): ParsedValue {
  const label = `variable ${flag.env}`;
  if (flag.kind === "boolean") return switchValue(text, label);
  if (flag.kind !== "strings") return parseFlagValue(flag, text, label);
  return text.split(",").map((item) => oneOf(item.trim(), flag.choices, label));
}

/** The value of a flag that was given nowhere. */
export function defaultValue(flag: Flag): ParsedValue {
  switch (flag.kind) {
    case "boolean":
      return flag.default ?? false;
    case "strings":
      return flag.default ?? [];
    case "duration":
      return flag.default === undefined ? undefined : parseDuration(flag.default);
    case "string":
    case "integer":
    case "file":
      return flag.default;
  }
}

/** `text` when it is one of the choices, if there are some. Throws USAGE. */
export function oneOf(text: string, choices: readonly string[] | undefined, label: Label): string {
  if (choices === undefined || choices.includes(text)) return text;
  throw usageError(`${label} must be one of ${choices.join(", ")}, got '${text}'`);
}

function integer(text: string, min: number, max: number, label: Label): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw usageError(`${label} must be a whole number, got '${text}'`);
  if (value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`;
    throw usageError(`${label} must be ${range}, got '${text}'`);
  }
  return value;
}

function positiveDuration(text: string, label: Label): number {
  let valueMs: number;
  try {
    valueMs = parseDuration(text);
  } catch (error) {
    if (error instanceof NexError) throw usageError(`${label}: ${error.message}`, error);
    throw error;
  }
  if (valueMs <= 0) throw usageError(`${label} must be longer than zero, got '${text}'`);
  return valueMs;
}

function existingFile(path: string, label: Label): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw usageError(`${label}: path '${path}' does not exist`);
  if (stats.isDirectory()) throw usageError(`${label}: '${path}' is a directory`);
  return path;
}

function switchValue(text: string, label: Label): boolean {
  switch (text.toLowerCase()) {
    case "1":
    case "t":
    case "true":
    case "yes":
    case "on":
      return true;
    case "0":
    case "f":
    case "false":
    case "no":
    case "off":
      return false;
    default:
      throw usageError(`${label} must be true or false, got '${text}'`);
  }
}
