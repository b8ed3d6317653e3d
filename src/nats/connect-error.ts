import { AuthorizationError, TimeoutError, UserAuthenticationExpiredError } from "@nats-io/transport-node";
import { errorText, NexError } from "../lib/errors.ts";
import type { ErrorCode } from "../lib/errors.ts";
import type { ConnectionPlan } from "./connection-settings.ts";

/**
 * Says what was wrong when no server of `plan` let us in. The library reports the last server's error, and a timeout
 * when that one closed the connection after a TLS handshake (`closedByServer`).
 */
export function connectError(plan: ConnectionPlan, cause: unknown, closedByServer: boolean): NexError {
  const { code, reason, hint } = explain(plan, cause, closedByServer);
  const { urls } = plan.servers;
  const target =
    urls.length === 1 ? `NATS server "${urls[0]}"` : `any of the NATS servers "${urls.join(",")}"`;
  return new NexError({ code, message: `Cannot connect to ${target}: ${reason}`, hint, cause });
}

interface Explanation {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string;
}

const HINTS = {
  start:
    'Start a NATS server, name another one with --server, or let the node bring its own with "nex node up --embedded-nats"',
  credentials:
    "Give the credentials that this server expects: --user and --password, --creds, --nkey, or --context",
  tls: "Check --tlsca, --tlscert, --tlskey and --tlsfirst, and that the server name is in its certificate",
  first: "Check that a NATS server listens there, and whether it wants the TLS handshake first (--tlsfirst)",
} as const;

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there (connection refused)",
  ENOTFOUND: "its host name is unknown",
  EAI_AGAIN: "its host name cannot be looked up",
  EHOSTUNREACH: "there is no route to its host",
  ENETUNREACH: "there is no route to its network",
};

const CLOSED =
  "it closed the connection after the TLS handshake, as servers do that want a client certificate";

function explain(plan: ConnectionPlan, cause: unknown, closedByServer: boolean): Explanation {
  const chain = causesOf(cause);
  const text = [...new Set(chain.map(errorText))].join(": ").replaceAll(/\s+/g, " ").trim();
  const code = chain
    .map((each) => (each as { readonly code?: unknown }).code)
    .find((each) => typeof each === "string");
  if (
    chain.some((each) => each instanceof AuthorizationError || each instanceof UserAuthenticationExpiredError)
  ) {
    return { code: "NATS_AUTHORIZATION_FAILED", reason: refusal(plan, text), hint: HINTS.credentials };
  }
  const unreachable = typeof code === "string" ? UNREACHABLE[code] : undefined;
  if (unreachable !== undefined) return { code: "NATS_UNREACHABLE", reason: unreachable, hint: HINTS.start };
  if (plan.servers.transport === "websocket") {
    const reason = "nobody answers there as a WebSocket server that we trust";
    return { code: "NATS_UNREACHABLE", reason, hint: HINTS.start };
  }
  if (
    /timeout|timed out/i.test(text) ||
    chain.some((each) => each instanceof TimeoutError) ||
    code === "ETIMEDOUT"
  ) {
    if (closedByServer) return { code: "NATS_TLS_FAILED", reason: CLOSED, hint: HINTS.tls };
    const reason = `no answer within ${plan.timeoutMs / 1000} s`;
    return { code: "NATS_CONNECT_TIMEOUT", reason, hint: HINTS.first };
  }
  if (/server does not support 'tls'/.test(text)) {
    return {
      code: "NATS_TLS_FAILED",
      reason: "the server has no TLS",
      hint: "Write nats:// and leave the TLS options out",
    };
  }
  if (isTlsTrouble(code, text))
    return { code: "NATS_TLS_FAILED", reason: tlsReason(code, text), hint: HINTS.tls };
  if (/unexpected response|JSON|undefined error/.test(text) || code === "ECONNRESET" || code === "EPIPE") {
    const reason = "what listens there closed the connection or does not speak NATS";
    return { code: "NATS_CONNECT_FAILED", reason, hint: HINTS.first };
  }
  return { code: "NATS_CONNECT_FAILED", reason: text, hint: HINTS.start };
}

function refusal(plan: ConnectionPlan, text: string): string {
  const none = plan.authentication.kind === "none" && plan.token === undefined;
  if (/expired/i.test(text)) return "the credentials have expired";
  return none
    ? "it wants credentials and none were given"
    : "the credentials were refused (authorization violation)";
}

function isTlsTrouble(code: unknown, text: string): boolean {
  if (
    typeof code === "string" &&
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME)/.test(code)
  )
    return true;
  return /\b(tls|ssl|certificate)\b/i.test(text);
}

function tlsReason(code: unknown, text: string): string {
  if (typeof code === "string" && /^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) {
    return "its certificate is not from an authority that we trust";
  }
  if (code === "CERT_HAS_EXPIRED") return "its certificate has expired";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "its certificate is for another host";
  if (/wrong version number|packet length too long/i.test(text)) return "it does not begin with TLS";
  if (/certificate required|bad certificate/i.test(text)) return "it refused our client certificate";
  return `TLS failed (${text})`;
}

/** An error, its causes, and the members of aggregate ones. */
function causesOf(error: unknown): readonly Error[] {
  const found: Error[] = [];
  const visit = (each: unknown): void => {
    if (!(each instanceof Error) || found.includes(each)) return;
    found.push(each);
    if (each instanceof AggregateError) each.errors.forEach(visit);
    visit(each.cause);
  };
  visit(error);
  return found.length > 0 ? found : [new Error(errorText(error))];
}
