import { PermissionViolationError, UserAuthenticationExpiredError } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { errorText } from "../lib/errors.ts";
import type { LogFields, Logger, LogLevel } from "../lib/logger.ts";

export interface ConnectionWatchOptions {
  /** Whose connection this is, in the log: `node`, `workload`. */
  readonly name: string;
  readonly logger: Logger;
  /** Level of loss and return. Default: warn and info. */
  readonly level?: LogLevel;
  readonly fields?: LogFields;
}

/** Different texts that are remembered between two connects. */
const MAX_REMEMBERED = 1000;

/**
 * Logs what becomes of a connection until it is closed: its loss and its return once each, every error and every
 * subject that the server does not permit once per connect.
 */
export function watchConnection(connection: NatsConnection, options: ConnectionWatchOptions): void {
  void watch(connection, options);
}

async function watch(
  connection: NatsConnection,
  { name, logger, level, fields }: ConnectionWatchOptions,
): Promise<void> {
  const said = new Set<string>();
  let isDown = false;
  const sayOnce = (key: string, say: () => void): void => {
    if (said.has(key) || said.size >= MAX_REMEMBERED) return;
    said.add(key);
    say();
  };
  for await (const status of connection.status()) {
    if (status.type === "disconnect") {
      const { server } = status;
      if (!isDown) logger[level ?? "warn"](`Lost the ${name} NATS connection`, { ...fields, server });
      isDown = true;
    } else if (status.type === "reconnect") {
      const { server } = status;
      if (isDown) logger[level ?? "info"](`The ${name} NATS connection is back`, { ...fields, server });
      isDown = false;
      said.clear();
    } else if (status.type === "error") {
      const { message, key, details } = describe(status.error, name);
      sayOnce(key, () => logger.error(message, { ...fields, ...details }));
    }
  }
}

interface Description {
  readonly message: string;
  /** The same for what shall be said once. */
  readonly key: string;
  readonly details: LogFields;
}

function describe(error: Error, name: string): Description {
  if (error instanceof PermissionViolationError) {
    const { operation, subject } = error;
    const action = operation === "publish" ? "publish to" : "subscribe";
    const message = `The ${name} NATS connection has no permission to ${action} a subject`;
    // Every reply has a subject of its own.
    return {
      message,
      key: `${operation} ${subject.split(".")[0]}.${subject.split(".")[1]}`,
      details: { subject },
    };
  }
  if (error instanceof UserAuthenticationExpiredError) {
    const message = `The credentials of the ${name} NATS connection have expired`;
    return { message, key: "expired", details: {} };
  }
  const text = errorText(error);
  return {
    message: `The server of the ${name} NATS connection reports an error`,
    key: text,
    details: { error: text },
  };
}
