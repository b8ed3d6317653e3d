import { defineCommand, jsonFlag } from "../command.ts";
import { openConnection } from "../connection.ts";
import { connectionLost } from "../follow/connection-lost.ts";
import { messageRecord, messagingError, printBody, printMessage, subscribeSubject } from "../nats-message.ts";
import { clockTime } from "../output/time-format.ts";

/** `nex sub`: prints messages until Ctrl-C. */
export const sub = defineCommand({
  description: "Prints the messages of a subject, wildcards allowed, until Ctrl-C.",
  arguments: { subject: { help: "Subject to subscribe to" } },
  flags: {
    count: { kind: "integer", min: 1, placeholder: "N", help: "End after that many messages" },
    queue: {
      kind: "string",
      placeholder: "GROUP",
      help: "Share the messages with the other members of a queue group",
    },
    raw: { kind: "boolean", help: "Print nothing but the bodies" },
    json: jsonFlag,
  },
  examples: ["sub 'orders.>'", "sub '$NEX.events.>' --json --count=1"],
  json: `{"subject": "orders.new", "reply": "…" (if any), "headers": {…}, "data": "text", or "data_base64": "…"};
  one line per message`,
  run: async (context) => {
    const { flags, output, signal } = context;
    const subject = subscribeSubject(context.arguments.subject);
    await using opened = await openConnection(context);
    const { connection } = opened;
    let received = 0;
    const subscription = connection.subscribe(subject, {
      ...(flags.queue === undefined ? {} : { queue: flags.queue }),
      ...(flags.count === undefined ? {} : { max: flags.count }),
    });
    const end = (): void => subscription.unsubscribe();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    await connection.flush();
    if (!flags.raw) output.note(`${clockTime(new Date())} Subscribing on ${subject}`);
    try {
      for await (const message of subscription) {
        received++;
        if (flags.json) output.jsonLine(messageRecord(message));
        else if (flags.raw) printBody(output, message);
        else {
          const reply =
            message.reply === undefined || message.reply === "" ? "" : ` with reply "${message.reply}"`;
          output.line(`[#${received}] Received on "${message.subject}"${reply}`);
          printMessage(output, message);
          output.line("");
        }
      }
    } catch (cause) {
      throw messagingError(`subscribe to "${subject}"`, cause);
    } finally {
      signal.removeEventListener("abort", end);
    }
    if (!signal.aborted && received !== flags.count) throw await connectionLost(connection);
  },
});
