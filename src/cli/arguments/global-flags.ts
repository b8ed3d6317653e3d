import type { FlagValues, Flags } from "./flag.ts";

/** Flags that exist on every command (protocol section 10.1). */
export const globalFlags = {
  server: {
    kind: "string",
    short: "s",
    env: "NATS_URL",
    default: "nats://127.0.0.1:4222",
    placeholder: "URL",
    help: "NATS servers, separated by commas",
  },
  user: { kind: "string", env: "NATS_USER", help: "User name; without a password it is used as token" },
  password: { kind: "string", env: "NATS_PASSWORD", help: "Password of the user" },
  creds: { kind: "file", env: "NATS_CREDS", help: "Credentials file" },
  nkey: { kind: "file", env: "NATS_NKEY", help: "File with the seed of an nkey" },
  tlscert: { kind: "file", env: "NATS_CERT", help: "TLS client certificate" },
  tlskey: { kind: "file", env: "NATS_KEY", help: "Private key of the TLS client certificate" },
  tlsca: { kind: "file", env: "NATS_CA", help: "Certificates of the authorities to trust" },
  tlsfirst: { kind: "boolean", negatable: true, help: "TLS handshake before the server's greeting" },
  timeout: {
    kind: "duration",
    env: "NATS_TIMEOUT",
    default: "2s",
    help: "How long to wait for an answer, and to collect answers",
  },
  jsdomain: { kind: "string", help: "JetStream domain of the bucket that holds a workload" },
  namespace: { kind: "string", env: "NEX_NAMESPACE", default: "default", help: "Namespace to work in" },
  context: {
    kind: "string",
    env: "NATS_CONTEXT",
    placeholder: "NAME",
    completes: "context",
    help: "NATS context to connect with, in place of the connection flags",
  },
  "conn-name": {
    kind: "string",
    placeholder: "NAME",
    help: "Name of the NATS connection (default: nex-{version})",
  },
  logger: {
    kind: "strings",
    env: "NEX_LOGGER",
    default: ["std"],
    choices: ["std", "file", "nats"],
    help: "Where log lines go: stderr, the files nex.log and nex.err, or NATS (node up; repeatable)",
  },
  loglevel: {
    kind: "string",
    env: "NEX_LOGLEVEL",
    default: "info",
    choices: ["none", "debug", "info", "warn", "error"],
    placeholder: "LEVEL",
    help: "Least severe level to log",
  },
  logjson: { kind: "boolean", env: "NEX_LOGJSON", help: "Log lines as JSON" },
  logcolor: { kind: "boolean", env: "NEX_LOG_COLORIZED", help: "Colour the level of log lines" },
  timeformat: {
    kind: "string",
    env: "NEX_LOG_TIMEFORMAT",
    default: "DateTime",
    choices: ["DateOnly", "DateTime", "Stamp", "RFC822", "RFC3339"],
    placeholder: "FORMAT",
    help: "Time of log lines",
  },
} as const satisfies Flags;

/** Parsed values of {@link globalFlags}. */
export type GlobalFlagValues = FlagValues<typeof globalFlags>;
