import { jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamManager } from "@nats-io/jetstream";
import { errorText } from "../../lib/errors.ts";
import { DEVELOPER_BUCKET } from "../devrun/upload.ts";
import type { Finding, Patient } from "./check.ts";

/** The backing stream of the bucket of development uploads. */
export const BUCKET_STREAM = `OBJ_${DEVELOPER_BUCKET}`;

/** Below this, an upload of the usual size does not fit. */
const LITTLE_BYTES = 10 * 1024 * 1024;

/** Whether the account has JetStream, and room left in it. */
export async function checkJetStream(patient: Patient): Promise<Finding> {
  let account: Awaited<ReturnType<JetStreamManager["getAccountInfo"]>>;
  try {
    const manager = await openManager(patient);
    account = await manager.getAccountInfo();
  } catch (error) {
    return unavailable(patient, error);
  }
  const limits = Object.values(account.tiers ?? {})[0]?.limits ?? account.limits;
  const { max_storage: limit, max_streams: maxStreams } = limits;
  const details = {
    domain: account.domain ?? null,
    storage_bytes: account.storage,
    storage_limit_bytes: limit < 0 ? null : limit,
    streams: account.streams,
    streams_limit: maxStreams < 0 ? null : maxStreams,
  };
  const room = limit < 0 ? Number.POSITIVE_INFINITY : limit - account.storage;
  const summary = `${mebibytes(account.storage)} in ${account.streams} stream${account.streams === 1 ? "" : "s"}, ${
    limit < 0 ? "no storage limit" : `of ${mebibytes(limit)}`
  }${account.domain === undefined ? "" : `, domain ${account.domain}`}`;
  if (room < LITTLE_BYTES) {
    const fix = "Remove streams or objects, or raise the storage limit of the account";
    return { status: "failed", summary: `almost full: ${summary}`, fix, details };
  }
  if (maxStreams >= 0 && account.streams >= maxStreams) {
    const fix = "Remove a stream, or raise the stream limit of the account";
    return { status: "warning", summary: `no further stream is allowed: ${summary}`, fix, details };
  }
  return { status: "ok", summary, details };
}

/** A JetStream manager in the domain of the flags or the context; nothing is asked yet. */
export async function openManager({
  connection,
  jetStreamDomain,
  timeoutMs,
}: Patient): Promise<JetStreamManager> {
  return jetstreamManager(connection, {
    checkAPI: false,
    timeout: timeoutMs,
    ...(jetStreamDomain === undefined || jetStreamDomain === "" ? {} : { domain: jetStreamDomain }),
  });
}

function unavailable({ jetStreamDomain }: Patient, error: unknown): Finding {
  const text = errorText(error);
  if (/permission/i.test(text)) {
    return {
      status: "failed",
      summary: text,
      fix: "Allow the user to publish $JS.API.>, or connect as another one",
    };
  }
  if (/not enabled for account/i.test(text)) {
    return {
      status: "failed",
      summary: "JetStream is off for this account",
      fix: "Enable JetStream for the account in the server's configuration or the account's JWT",
    };
  }
  const inDomain = jetStreamDomain === undefined ? "" : ` in domain "${jetStreamDomain}"`;
  return {
    status: "failed",
    summary: `no JetStream${inDomain} (${text})`,
    fix:
      jetStreamDomain === undefined
        ? 'Start the server with JetStream ("nats-server -js", "nex node up --embedded-nats"), or name its domain with --jsdomain'
        : "Correct --jsdomain or the context's domain",
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}
