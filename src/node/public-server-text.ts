import { NexError } from "../lib/errors.ts";
import type { PublicNatsServerSettings } from "./public-nats-server.ts";

type Value = string | number | boolean;
/** A setting of the server's configuration file: its name and value. */
type Line = readonly [name: string, value: Value];

/**
 * The settings beyond address, name and store in the format of the server's configuration file. Each key means what it
 * means in the server's option struct.
 *
 * @throws {NexError} `CONFIGURATION_INVALID` naming the key that has no counterpart in such a file
 */
export function serverText(settings: PublicNatsServerSettings): string {
  refuse(settings);
  const { http_port: httpPort = 0, auth_timeout: authTimeout, cluster, gateway, leaf } = settings;
  const lines: Line[] = [
    ...COPIED.flatMap((name): Line[] => line(name, settings[name])),
    ...line(
      "ping_interval",
      settings.ping_interval === undefined ? undefined : `${settings.ping_interval}ns`,
    ),
    ...(httpPort === 0 ? [] : line("http", `${bracketed(settings.http_host ?? "0.0.0.0")}:${httpPort}`)),
    ...line("http_base_path", settings.http_base_path),
  ];
  const blocks = [
    authTimeout === undefined ? [] : [`authorization { timeout: ${authTimeout} }`],
    block("cluster", "cluster", cluster, { name: "name", addr: "host", cluster_port: "port" }),
    block("gateway", "gateway", gateway, { name: "name", addr: "host", port: "port" }),
    block("leaf", "leafnodes", leaf, { addr: "host", port: "port", no_advertise: "no_advertise" }),
  ];
  return [...lines.map(([name, value]) => `${name}: ${text(value)}`), ...blocks.flat()].join("\n");
}

/** Keys that the configuration file calls the same. */
const COPIED = [
  "max_connections",
  "max_subscriptions",
  "ping_max",
  "max_control_line",
  "max_payload",
  "max_pending",
] as const;

function refuse(settings: PublicNatsServerSettings): void {
  if (settings.dont_listen === true)
    throw untranslatable("dont_listen", "nobody could connect to the server");
  for (const key of ["https_port", "tls_timeout"] as const) {
    if ((settings[key] ?? 0) > 0)
      throw untranslatable(key, "it needs certificates, for which there are no keys");
  }
  if (settings.store_dir !== undefined && settings.jetstream !== true) {
    throw untranslatable("store_dir", 'it needs "jetstream": true');
  }
}

function line(name: string, value: Value | undefined): Line[] {
  return value === undefined || value === "" ? [] : [[name, value]];
}

function block(
  key: string,
  name: string,
  given: Readonly<Record<string, unknown>> | undefined,
  names: Readonly<Record<string, string>>,
): string[] {
  if (given === undefined) return [];
  const parts = Object.entries(given).map(([option, value]) => {
    const translated = Object.hasOwn(names, option) ? names[option] : undefined;
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    if (translated === undefined || !isPlain) {
      throw untranslatable(
        `${key}.${option}`,
        `of "${key}" the keys ${Object.keys(names).join(", ")} are known`,
      );
    }
    return `${translated}: ${text(value)}`;
  });
  return [`${name} { ${parts.join(", ")} }`];
}

/** A JSON string is one of the server's format, too, but for escapes that no name or address has. */
function text(value: Value): string {
  return JSON.stringify(value);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function untranslatable(key: string, why: string): NexError {
  return new NexError({
    code: "CONFIGURATION_INVALID",
    message: `Cannot start the public NATS server: "public_nats_server.${key}" cannot be translated: ${why}`,
    hint: "docs/configuration.md lists the keys of public_nats_server",
  });
}
