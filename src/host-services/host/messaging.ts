import { NoRespondersError } from "@nats-io/nats-core";
import type { Msg } from "@nats-io/nats-core";
import type { TimedService } from "./call-limits.ts";
import { succeeded } from "./host-services.ts";
import type { NatsAccess } from "./nats-access.ts";
import { attempt, requireSize, ServiceFailure } from "./service-failure.ts";

export interface MessagingOptions {
  readonly nats: NatsAccess;
  /** How long `request` waits for its answer, and `publish` for the server. */
  readonly requestTimeoutMs: number;
  /** How long `requestMany` collects. */
  readonly requestManyTimeoutMs: number;
  readonly maxBodyBytes: number;
  /** Why the workload may not send to a subject; undefined when it may. */
  readonly refusal: (action: MessagingAction, subject: string) => string | undefined;
}

export type MessagingAction = "publish" | "request";

/** Longest subject in bytes: a server breaks connections whose lines are too long. */
const MAX_SUBJECT_BYTES = 1024;
/** What `requestMany` may take longer than it collects: for connecting and waiting. */
const MANY_SLACK_MS = 500;

/** The time limit of a call of {@link createMessagingService}. */
export function messagingTimeout(
  method: string,
  options: Pick<MessagingOptions, "requestTimeoutMs" | "requestManyTimeoutMs">,
): number {
  return method === "requestMany" ? options.requestManyTimeoutMs + MANY_SLACK_MS : options.requestTimeoutMs;
}

/** The messaging service of one workload (protocol.md 6.5). */
export function createMessagingService(options: MessagingOptions): TimedService {
  const { nats, maxBodyBytes, refusal } = options;
  const checked = (action: MessagingAction, headers: Readonly<Record<string, string>>): string => {
    const subject = subjectOf(action, headers);
    const reason = refusal(action, subject);
    if (reason !== undefined) throw new ServiceFailure(403, reason);
    return subject;
  };
  return async ({ method, headers, body }, { signal }) => {
    switch (method) {
      case "publish": {
        const subject = checked("publish", headers);
        await nats.publish("failed to publish message", signal, { subject, body });
        return succeeded({ success: true });
      }
      case "request": {
        const subject = checked("request", headers);
        const failure = "failed to send request";
        const connection = await nats.connected(failure, signal);
        const request = { timeout: options.requestTimeoutMs };
        const reply = await attempt(failure, signal, connection.request(subject, body, request));
        requireSize("the answer", reply.data.length, maxBodyBytes);
        return succeeded(reply.data);
      }
      case "requestMany": {
        const subject = checked("request", headers);
        const failure = "failed to send request";
        const connection = await nats.connected(failure, signal);
        const answers = await connection.requestMany(subject, body, {
          strategy: "timer",
          maxWait: options.requestManyTimeoutMs,
        });
        return succeeded(await attempt(failure, signal, collect(answers, maxBodyBytes)));
      }
      default:
        throw new ServiceFailure(400, "unknown method");
    }
  };
}

function subjectOf(action: MessagingAction, headers: Readonly<Record<string, string>>): string {
  const subject = headers["x-subject"] ?? "";
  if (subject === "") throw new ServiceFailure(action === "publish" ? 500 : 400, "subject is required");
  if (Buffer.byteLength(subject) > MAX_SUBJECT_BYTES)
    throw new ServiceFailure(400, `invalid subject: longer than ${MAX_SUBJECT_BYTES} bytes`);
  // oxlint-disable-next-line no-control-regex -- control characters would break the protocol's lines
  const invalid = (token: string): boolean => /^[*>]?$|[\s\u0000-\u001f\u007f]/.test(token);
  if (!subject.split(".").some(invalid)) return subject;
  const shown = JSON.stringify(subject);
  throw new ServiceFailure(400, `invalid subject: ${shown}: no wildcards, spaces and empty parts`);
}

/** The answers as base64 texts; none when nobody listens. */
async function collect(answers: AsyncIterable<Msg>, maxBytes: number): Promise<string[]> {
  const collected: string[] = [];
  let bytes = 0;
  try {
    for await (const { data } of answers) {
      const text = Buffer.from(data).toString("base64");
      bytes += text.length + 3;
      requireSize("the list of answers", bytes, maxBytes);
      collected.push(text);
    }
  } catch (error) {
    if (!(error instanceof NoRespondersError)) throw error;
  }
  return collected;
}
