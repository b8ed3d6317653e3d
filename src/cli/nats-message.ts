import { isUtf8 } from "node:buffer";
import { fstatSync } from "node:fs";
import { addAbortSignal } from "node:stream";
import { buffer } from "node:stream/consumers";
import { headers, InvalidArgumentError } from "@nats-io/transport-node";
import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import { errorText, NexError } from "../lib/errors.ts";
import { usageError } from "./arguments/usage-error.ts";
import type { Output } from "./output/output.ts";

/** A message as `--json` prints it: `data` when the body is UTF-8, otherwise `data_base64`. */
export interface MessageRecord {
  readonly subject: string;
  readonly reply?: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly data?: string;
  readonly data_base64?: string;
}

/** The body of a message: the argument, standard input for `-`, and also for no argument when something is piped in. */
export async function readBody(argument: string | undefined, signal: AbortSignal): Promise<Uint8Array> {
  if (argument !== undefined && argument !== "-") return Buffer.from(argument);
  if (argument === undefined && !isPiped()) return new Uint8Array();
  try {
    return await buffer(addAbortSignal(signal, process.stdin));
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Headers from `--header` values, each `Name: value`. Throws USAGE. */
export function parseHeaders(items: readonly string[]): MsgHdrs | undefined {
  if (items.length === 0) return undefined;
  const parsed = headers();
  for (const item of items) {
    const [, name, value] = /^([^:]+):\s*(.*)$/s.exec(item) ?? [];
    if (name === undefined || value === undefined)
      throw usageError(`expected header 'Name: value' got '${item}'`);
    try {
      parsed.append(name, value);
    } catch (cause) {
      throw usageError(`header '${item}': ${errorText(cause)}`, cause);
    }
  }
  return parsed;
}

/** A subject to publish on. Throws USAGE for wildcards and empty parts. */
export function publishSubject(text: string): string {
  if (text.split(".").every((part) => /^\S+$/.test(part) && part !== "*" && part !== ">")) return text;
  throw usageError(`'${text}' is no subject to publish on (no spaces, empty parts and wildcards)`);
}

/** A subject to subscribe to, wildcards allowed. Throws USAGE. */
export function subscribeSubject(text: string): string {
  const parts = text.split(".");
  const valid = parts.every(
    (part, index) => part !== "" && !/\s/.test(part) && (part !== ">" || index === parts.length - 1),
  );
  if (valid) return text;
  throw usageError(
    `'${text}' is no subject to subscribe to (no spaces and empty parts, '>' only at the end)`,
  );
}

/** Prints headers, an empty line after them, and the body, as the classic tool does. */
export function printMessage(output: Output, message: Msg): void {
  for (const [name, values] of message.headers ?? []) {
    for (const value of values) output.line(`${name}: ${value}`);
  }
  if (message.headers !== undefined) output.line("");
  printBody(output, message);
}

/** Prints the body alone, with a newline at its end. */
export function printBody(output: Output, { data }: Msg): void {
  output.raw(data);
  if (data.at(-1) !== 0x0a) output.raw("\n");
}

/** A message for `--json`. */
export function messageRecord(message: Msg): MessageRecord {
  const { subject, reply, data } = message;
  return {
    subject,
    ...(reply === undefined || reply === "" ? {} : { reply }),
    headers: Object.fromEntries(message.headers ?? []),
    ...(isUtf8(data)
      ? { data: Buffer.from(data).toString("utf8") }
      : { data_base64: Buffer.from(data).toString("base64") }),
  };
}

/** The error for a message that could not be sent or received; `action` follows "Cannot". */
export function messagingError(action: string, cause: unknown): NexError {
  if (cause instanceof NexError) return cause;
  const tooLarge = cause instanceof InvalidArgumentError && /max_payload/i.test(cause.message);
  return new NexError({
    code: "MESSAGING_REFUSED",
    message: `Cannot ${action}: ${tooLarge ? "the message is larger than the server accepts" : errorText(cause)}`,
    hint: tooLarge
      ? "Send less, or put the data into an object store"
      : "See whether the user of the connection may do this",
    cause,
  });
}

function isPiped(): boolean {
  try {
    const stats = fstatSync(0);
    return stats.isFIFO() || stats.isFile() || stats.isSocket();
  } catch {
    return false;
  }
}
