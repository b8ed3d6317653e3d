/*
 * JSON as the Go peers read and write it.
 *
 * J1  Reading: keys match case-insensitively, an exact match wins; null counts as absent; unknown keys are ignored.
 * J2  Nothing but a NexError (WIRE_INVALID) leaves a parser, whatever the bytes.
 * J3  No key of a message ends up as a prototype: values are built key by key from the schema, maps by definition
 *     of own properties.
 */
import { z } from "zod";
import { NexError } from "../lib/errors.ts";

/**
 * Schema of a wire object with Go's reading rules (J1). Unknown fields are dropped.
 */
export function wireObject<Shape extends z.ZodRawShape>(shape: Shape): WireObject<Shape> {
  const keys = Object.keys(shape);
  return z.preprocess((value) => pickFields(value, keys), z.object(shape).readonly()) as WireObject<Shape>;
}

/** A schema made by {@link wireObject}. */
export type WireObject<Shape extends z.ZodRawShape> = z.ZodPipe<
  z.ZodTransform,
  z.ZodReadonly<z.ZodObject<Shape>>
>;

/** Schema of a map from string to string; a null value reads as "" as in Go. */
export const StringMap = z.unknown().transform((value, context): Readonly<Record<string, string>> => {
  if (!isRecord(value)) {
    context.addIssue({ code: "custom", message: "must be an object" });
    return z.NEVER;
  }
  const entries: [string, string][] = [];
  for (const [key, entry] of Object.entries(value)) {
    if (entry !== null && typeof entry !== "string") {
      context.addIssue({ code: "custom", message: "must be a string", path: [key] });
      return z.NEVER;
    }
    entries.push([key, entry ?? ""]);
  }
  return Object.fromEntries(entries);
});

/** Schema of a list of strings. Stops at the first fault, where a hostile message may hold half a million. */
export const StringList = z.unknown().transform((value, context): readonly string[] => {
  if (!Array.isArray(value)) {
    context.addIssue({ code: "custom", message: "must be a list" });
    return z.NEVER;
  }
  const fault = value.findIndex((item) => typeof item !== "string");
  if (fault !== -1) {
    context.addIssue({ code: "custom", message: "must be a string", path: [fault] });
    return z.NEVER;
  }
  return value as readonly string[];
});

/** Parses bytes with a schema. Throws WIRE_INVALID whose message is a short detail such as `field "id" is missing`. */
export function parseWire<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> {
  return readWire(schema, decodeJson(bytes));
}

/** As {@link parseWire}, for a value that is already decoded. */
export function readWire<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw wireError(issue === undefined ? "body is not valid" : issueText(issue));
}

/** The JSON value in the bytes. Throws WIRE_INVALID for an empty body and for what is not JSON. */
export function decodeJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw wireError("body is empty");
  try {
    return JSON.parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)) as unknown;
  } catch {
    // The engine's message quotes the text, which may hold secrets.
    throw wireError("body is not valid JSON");
  }
}

/** UTF-8 JSON of a value that has no cycles. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** JSON text escaped as Go does it: `<`, `>`, `&`, U+2028 and U+2029 inside strings as `\u00xx`. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A number as a Go reader of integers accepts it: whole, without exponent, 0 when it is no number. */
export function wireInteger(value: number): number {
  if (Number.isNaN(value)) return 0;
  const limit = Number.MAX_SAFE_INTEGER;
  return Math.min(limit, Math.max(-limit, Math.trunc(value))) + 0;
}

/** Whether a decoded JSON value is an object (not null, not a list). */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The error of every parser of this library. */
export function wireError(detail: string, cause?: unknown): NexError {
  return new NexError({ code: "WIRE_INVALID", message: detail, cause });
}

function pickFields(value: unknown, keys: readonly string[]): unknown {
  if (!isRecord(value)) return value;
  const folded = new Map<string, unknown>();
  for (const [key, field] of Object.entries(value)) folded.set(key.toLowerCase(), field);
  // Without prototype: a schema that asks for "constructor" must not find the one of every object.
  const picked = Object.create(null) as Record<string, unknown>;
  for (const key of keys) {
    const field = Object.hasOwn(value, key) ? value[key] : folded.get(key.toLowerCase());
    if (field !== undefined && field !== null) picked[key] = field;
  }
  return picked;
}

function describeIssue(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined) return "is missing";
  if (issue.code === "invalid_type") return `must be ${EXPECTED[issue.expected] ?? issue.expected}`;
  if (issue.code === "invalid_value")
    return `must be one of ${issue.values.map((value) => JSON.stringify(String(value))).join(", ")}`;
  return "is not valid";
}

const EXPECTED: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "a boolean",
  int: "an integer",
  number: "a number",
  object: "an object",
  string: "a string",
};

function issueText(issue: z.core.$ZodIssue): string {
  if (issue.path.length === 0) return `body ${issue.message}`;
  let path = "";
  for (const part of issue.path) {
    if (typeof part === "number") path += `[${part}]`;
    else path += path === "" ? String(part) : `.${String(part)}`;
  }
  return `field ${JSON.stringify(path.slice(0, 80))} ${issue.message}`;
}
