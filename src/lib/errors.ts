/**
 * Who can do something about an error: the user (wrong input, missing server) or only we (a defect, a broken
 * system).
 */
export type ErrorAudience = "user" | "system";

/**
 * Every error code of the product, with its audience. Closed: a new failure gets a new line here and a section in
 * `docs/errors.md` (a test compares the two).
 */
export const ERROR_CODES = {
  ABORTED: "user",
  AGENT_LOST: "system",
  AGENT_MESSAGE_INVALID: "system",
  AGENT_METADATA_INVALID: "system",
  AGENT_REFUSED: "user",
  ARTIFACT_CORRUPT: "system",
  ARTIFACT_UNAVAILABLE: "user",
  BUILD_FAILED: "user",
  CHECKS_FAILED: "user",
  CLAIMS_INVALID: "user",
  CONFIGURATION_INVALID: "user",
  CONTROL_REFUSED: "user",
  CONTROL_REQUEST_FAILED: "system",
  CONTROL_SUBJECT_REFUSED: "user",
  DEPLOY_FAILED: "system",
  DEPLOY_REFUSED: "user",
  DOWNLOAD_FAILED: "user",
  ENVIRONMENT_INVALID: "user",
  FUNCTION_INVALID: "user",
  HOST_SERVICE_FAILED: "user",
  INTERNAL: "system",
  KERNEL_INVALID: "user",
  KEY_FILE_INVALID: "user",
  KEY_INVALID: "user",
  LIMIT_REACHED: "user",
  LINK_CLOSED: "system",
  LINK_CONGESTED: "system",
  LINK_MESSAGE_TOO_LARGE: "system",
  LINK_NO_RESPONDERS: "system",
  LINK_TIMEOUT: "system",
  LOCATION_INVALID: "user",
  MESSAGING_REFUSED: "user",
  NAMESPACE_INVALID: "user",
  NATS_AUTHORIZATION_FAILED: "user",
  NATS_CONNECTION_LOST: "system",
  NATS_CONNECT_FAILED: "system",
  NATS_CONNECT_TIMEOUT: "user",
  NATS_CONTEXT_INVALID: "user",
  NATS_CONTEXT_UNKNOWN: "user",
  NATS_CREDENTIALS_INVALID: "user",
  NATS_PORT_TAKEN: "user",
  NATS_SERVER_NOT_FOUND: "user",
  NATS_SERVER_RELOAD_FAILED: "system",
  NATS_SERVER_START_FAILED: "system",
  NATS_SERVER_UNUSABLE: "user",
  NATS_TLS_FAILED: "user",
  NATS_UNREACHABLE: "user",
  NATS_URL_INVALID: "user",
  NODE_AMBIGUOUS: "user",
  NODE_NOT_FOUND: "user",
  NODE_RUNNING: "user",
  NO_REPLY: "user",
  NO_RESPONDERS: "user",
  PID_FILE_INVALID: "user",
  POOL_EMPTY: "system",
  PREFLIGHT_FAILED: "user",
  PROCESS_START_FAILED: "system",
  ROOTFS_BUILD_FAILED: "user",
  SANDBOX_START_FAILED: "system",
  SANDBOX_UNAVAILABLE: "user",
  STARTER_EXISTS: "user",
  STARTER_UNWRITABLE: "user",
  STOP_REFUSED: "user",
  SUBJECT_INVALID: "user",
  TIMEOUT: "system",
  TOOL_FAILED: "system",
  TOOL_MISSING: "user",
  TRIGGER_REFUSED: "user",
  UPLOAD_FAILED: "user",
  USAGE: "user",
  WIRE_INVALID: "system",
  WORKLOAD_AMBIGUOUS: "user",
  WORKLOAD_FILE_INVALID: "user",
  WORKLOAD_NAME_INVALID: "user",
  WORKLOAD_NOT_FOUND: "user",
  WORKLOAD_REFUSED: "user",
} as const satisfies Record<string, ErrorAudience>;

/** One code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What a {@link NexError} is made of. `hint` is the next step for the user: one sentence, no full stop. */
export interface NexErrorInit {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The one error class of the product. `message` reads `Cannot deploy workload "echo": node is draining`:
 * sentence case, no full stop, values in quotes, action then cause. Never holds a secret.
 */
export class NexError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor({ code, message, hint, cause }: NexErrorInit) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "NexError";
    this.code = code;
    this.hint = hint;
  }

  /** Who can act on this error. */
  get audience(): ErrorAudience {
    return ERROR_CODES[this.code];
  }
}

/** The text of anything that was thrown, without a stack. Never throws itself. */
export function errorText(error: unknown): string {
  if (error instanceof Error) return error.message === "" ? error.name : error.message;
  if (typeof error === "string") return error;
  try {
    return JSON.stringify(error) ?? String(error);
  } catch {
    return "unknown error";
  }
}
