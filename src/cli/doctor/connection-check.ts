import { errorText, NexError } from "../../lib/errors.ts";
import { withoutCredentials } from "../contexts/nats-contexts.ts";
import type { Finding, Patient } from "./check.ts";

/** Which server answers, its version, and how long a round trip takes. */
export async function checkConnection({ connection, context }: Patient): Promise<Finding> {
  const rttMs = await connection.rtt();
  const { info } = connection;
  const server = connection.getServer();
  const details = {
    server,
    server_name: info?.server_name ?? "",
    version: info?.version ?? "",
    cluster: info?.cluster ?? "",
    known_servers: info?.connect_urls ?? [],
    tls: info?.tls_required === true,
    max_payload: info?.max_payload ?? 0,
    rtt_ms: rttMs,
    context: context.global.context ?? null,
  };
  const cluster = details.cluster === "" ? "" : `, cluster ${details.cluster}`;
  return {
    status: "ok",
    summary: `${server} (nats-server ${details.version}${cluster}), round trip ${rttMs} ms`,
    details,
  };
}

/** The finding when no server lets us in. */
export function connectionFailure(error: unknown, servers: string): Finding {
  return {
    status: "failed",
    summary: errorText(error),
    fix:
      error instanceof NexError && error.hint !== undefined
        ? error.hint
        : "Correct --server, --context or the credentials",
    details: {
      servers: withoutCredentials(servers),
      code: error instanceof NexError ? error.code : "INTERNAL",
    },
  };
}
