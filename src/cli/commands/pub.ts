import { setImmediate } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { defineCommand, jsonFlag } from "../command.ts";
import { withConnection } from "../connection.ts";
import { messagingError, parseHeaders, publishSubject, readBody } from "../nats-message.ts";
import { clockTime } from "../output/time-format.ts";

/** `nex pub`: publishes a message. */
export const pub = defineCommand({
  description: "Publishes a message. Without BODY, or with -, the body is read from a pipe.",
  arguments: {
    subject: { help: "Subject of the message" },
    body: { help: "Body of the message", required: false },
  },
  flags: {
    header: {
      kind: "strings",
      short: "H",
      placeholder: "'NAME: VALUE'",
      help: "Header of the message (repeatable)",
    },
    count: { kind: "integer", default: 1, min: 1, placeholder: "N", help: "How many times" },
    reply: { kind: "string", placeholder: "SUBJECT", help: "Subject for replies" },
    json: jsonFlag,
  },
  examples: ["pub orders.new 'one coffee'", "pub orders.new --header='Trace: 1' - < order.json"],
  json: '{"subject": "orders.new", "bytes": 10, "count": 1}',
  run: async (context) => {
    const { flags, output, signal } = context;
    const subject = publishSubject(context.arguments.subject);
    const reply = flags.reply === undefined ? undefined : publishSubject(flags.reply);
    const headers = parseHeaders(flags.header);
    const body = await readBody(context.arguments.body, signal);
    const publish = async (connection: NatsConnection): Promise<void> => {
      const refused = firstError(connection);
      for (let sent = 0; sent < flags.count && !signal.aborted; sent++) {
        connection.publish(subject, body, {
          ...(headers === undefined ? {} : { headers }),
          ...(reply === undefined ? {} : { reply }),
        });
        if (!flags.json)
          output.note(`${clockTime(new Date())} Published ${body.length} bytes to "${subject}"`);
      }
      await connection.flush();
      await setImmediate();
      refused.throwIfAny();
    };
    await withConnection(context, (connection) =>
      publish(connection).catch((cause: unknown) => {
        throw messagingError(`publish on "${subject}"`, cause);
      }),
    );
    if (flags.json) output.json({ subject, bytes: body.length, count: flags.count });
  },
});

/** Watches for what the server refuses: it says so before it answers a flush, and the client a turn later. */
function firstError(connection: NatsConnection): { throwIfAny(): void } {
  let error: Error | undefined;
  const watch = async (): Promise<void> => {
    for await (const status of connection.status()) if (status.type === "error") error ??= status.error;
  };
  void watch();
  return {
    throwIfAny: () => {
      if (error !== undefined) throw error;
    },
  };
}
