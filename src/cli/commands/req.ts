import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { NoRespondersError, TimeoutError } from "@nats-io/transport-node";
import { NexError } from "../../lib/errors.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { timeoutMs, withConnection } from "../connection.ts";
import {
  messageRecord,
  messagingError,
  parseHeaders,
  printBody,
  printMessage,
  publishSubject,
  readBody,
} from "../nats-message.ts";
import { formatGoDuration } from "../output/go-duration.ts";
import { clockTime } from "../output/time-format.ts";

/** `nex req`: a request and its reply, printed as the classic tool does. */
export const req = defineCommand({
  description:
    "Sends a request and prints the reply: what happens on stderr, headers and body on stdout. Without BODY, or with -, the body is read from a pipe.",
  arguments: {
    subject: { help: "Subject of the request" },
    body: { help: "Body of the request", required: false },
  },
  flags: {
    header: {
      kind: "strings",
      short: "H",
      placeholder: "'NAME: VALUE'",
      help: "Header of the request (repeatable)",
    },
    count: {
      kind: "integer",
      default: 1,
      min: 1,
      placeholder: "N",
      help: "How many requests, one after the other",
    },
    raw: { kind: "boolean", help: "Print nothing but the body" },
    json: jsonFlag,
  },
  examples: ["req js.echo hello", "req svc.echo hello --header='Trace: 1' --timeout=500ms"],
  json: `{"subject": "js.echo", "rtt_ns": 567537, "headers": {"Name": ["value", …]},
  "data": "text", or "data_base64": "…" when the body is no UTF-8}; one line per request`,
  run: async (context) => {
    const { flags, output, signal } = context;
    const subject = publishSubject(context.arguments.subject);
    const headers = parseHeaders(flags.header);
    const body = await readBody(context.arguments.body, signal);
    const say = (text: string): void => {
      if (!flags.raw && !flags.json) output.note(`${clockTime(new Date())} ${text}`);
    };
    await withConnection(context, async (connection) => {
      for (let sent = 0; sent < flags.count && !signal.aborted; sent++) {
        say(`Sending request on "${subject}"`);
        const { reply, rttNs } = await request(connection, subject, body, {
          timeout: timeoutMs(context.global),
          ...(headers === undefined ? {} : { headers }),
        });
        say(`Received with rtt ${formatGoDuration(rttNs)}`);
        if (flags.json) output.jsonLine({ ...messageRecord(reply), subject, rtt_ns: Number(rttNs) });
        else if (flags.raw) printBody(output, reply);
        else printMessage(output, reply);
      }
    });
  },
});

async function request(
  connection: NatsConnection,
  subject: string,
  body: Uint8Array,
  options: {
    readonly timeout: number;
    readonly headers?: Exclude<ReturnType<typeof parseHeaders>, undefined>;
  },
): Promise<{ readonly reply: Msg; readonly rttNs: bigint }> {
  const sentAt = process.hrtime.bigint();
  try {
    const reply = await connection.request(subject, body, options);
    return { reply, rttNs: process.hrtime.bigint() - sentAt };
  } catch (cause) {
    throw requestError(subject, options.timeout, cause);
  }
}

function requestError(subject: string, timeout: number, cause: unknown): NexError {
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  if (reason instanceof NoRespondersError || cause instanceof NoRespondersError) {
    return new NexError({
      code: "NO_RESPONDERS",
      message: "No responders are available",
      hint: `Nobody listens on "${subject}": see with "nex node info" whether the workload runs`,
      cause,
    });
  }
  if (reason instanceof TimeoutError || cause instanceof TimeoutError) {
    return new NexError({
      code: "NO_REPLY",
      message: `No reply on "${subject}" within ${timeout} ms`,
      hint: "Allow more time with --timeout, or look into the log of the workload",
      cause,
    });
  }
  return messagingError(`send a request on "${subject}"`, cause);
}
