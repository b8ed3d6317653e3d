import { setImmediate } from "node:timers/promises";
import { headers, PermissionViolationError } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { subjects } from "../../control-api/index.ts";
import { DEVELOPER_BUCKET } from "../devrun/upload.ts";
import { counted } from "./check.ts";
import type { Finding, Patient } from "./check.ts";
import { BUCKET_STREAM } from "./jetstream-check.ts";

/** No node has this id, so nobody acts on what is published to it. */
const NOBODY = "doctor";

/**
 * Whether the user may use the control API, follow logs and events, and upload. It is tried, and nothing stays: what is
 * published is addressed to a node that does not exist, or to streams with a condition that none meets.
 */
export async function checkPermissions(patient: Patient): Promise<Finding> {
  const { connection, namespace, jetStreamDomain } = patient;
  const api =
    jetStreamDomain === undefined || jetStreamDomain === "" ? "$JS.API" : `$JS.${jetStreamDomain}.API`;
  const publish = [
    subjects.ping(),
    subjects.auction(),
    subjects.workloadPing(namespace),
    subjects.info(namespace, NOBODY),
    subjects.deploy(namespace, NOBODY),
    subjects.stop(namespace, NOBODY),
    subjects.lameDuck(NOBODY),
    `${api}.STREAM.INFO.${BUCKET_STREAM}`,
    `${api}.STREAM.CREATE.${BUCKET_STREAM}`,
    `$O.${DEVELOPER_BUCKET}.C.${NOBODY}`,
    `$O.${DEVELOPER_BUCKET}.M.${NOBODY}`,
  ];
  const subscribe = [`$NEX.logs.${namespace}.>`, `$NEX.events.${namespace}.>`, "$NEX.events.system.>"];
  const refused = await tryAll(connection, publish, subscribe);
  const details = { publish, subscribe, refused };
  if (refused.length === 0) {
    return {
      status: "ok",
      summary: `${counted(publish.length, "subject")} to publish and ${subscribe.length} to subscribe, none refused`,
      details,
    };
  }
  const words = refused.map(({ operation, subject }) => `${operation} "${subject}"`);
  return {
    status: "failed",
    summary: `the user may not ${words.join(", ")}`,
    fix: `Allow the user of this connection to publish ${listOf(publish, refused, "publish")} and to subscribe $NEX.logs.> and $NEX.events.>, or connect as another user`,
    details,
  };
}

interface Refused {
  readonly operation: "publish" | "subscribe";
  readonly subject: string;
}

/** What the server says is said before it answers a flush; the client tells a turn later. */
async function tryAll(
  connection: NatsConnection,
  publish: readonly string[],
  subscribe: readonly string[],
): Promise<Refused[]> {
  const refused: Refused[] = [];
  const watch = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      const { operation, subject } = status.error;
      refused.push({ operation: operation === "publish" ? "publish" : "subscribe", subject });
    }
  };
  void watch();
  const subscriptions = subscribe.map((subject) => connection.subscribe(subject, { callback: () => {} }));
  for (const subject of publish) {
    // Streams keep nothing that expects another stream; the JetStream API refuses a body that is no request.
    const unmet = headers();
    unmet.set("Nats-Expected-Stream", NOBODY);
    connection.publish(subject, subject.includes(".STREAM.CREATE.") ? "{}" : "", { headers: unmet });
  }
  await connection.flush();
  await setImmediate();
  for (const subscription of subscriptions) subscription.unsubscribe();
  return refused;
}

function listOf(
  publish: readonly string[],
  refused: readonly Refused[],
  operation: Refused["operation"],
): string {
  const names = publish.filter((subject) =>
    refused.some((each) => each.operation === operation && each.subject === subject),
  );
  const groups = new Set(
    names.map((subject) =>
      subject.startsWith("$NEX.")
        ? "$NEX.>"
        : subject.startsWith("$O.")
          ? `$O.${DEVELOPER_BUCKET}.>`
          : subject,
    ),
  );
  return groups.size === 0 ? "$NEX.>" : [...groups].join(", ");
}
