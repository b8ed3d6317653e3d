import { join } from "node:path";
import type { NatsServerSpec } from "./server.ts";

/** The text of the configuration file for `spec`; `directory` is where a temporary store goes. */
export function natsServerConfiguration(spec: NatsServerSpec, directory: string): string {
  const host = spec.host ?? "127.0.0.1";
  const lines = [`host: ${quote(host)}`, `port: ${spec.port ?? -1}`];
  if (spec.serverName !== undefined)
    lines.push(`server_name: ${quote(spec.serverName.trim().replaceAll(/\s+/g, "-"))}`);
  if (spec.storeDirectory !== undefined) {
    const store = spec.storeDirectory === "temporary" ? join(directory, "store") : spec.storeDirectory;
    lines.push(`jetstream: { store_dir: ${quote(store)} }`);
  }
  return `${[...lines, spec.configText ?? ""].join("\n")}\n`;
}

/** A string in the server's configuration format. */
function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;
}
