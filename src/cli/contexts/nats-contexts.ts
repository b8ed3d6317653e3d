import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText, NexError } from "../../lib/errors.ts";
import { contextDirectory } from "../../nats/context.ts";
import type { Environment } from "../command.ts";

/** A NATS context as its file says it, without secrets. */
export interface ShownContext {
  readonly name: string;
  readonly path: string;
  readonly description: string;
  /** Empty when the file cannot be read. Credentials in it are masked. */
  readonly url: string;
  /** The keys of the file that are set; what is secret is `********`. */
  readonly settings: Readonly<Record<string, string | boolean | number>>;
  /** Why the file cannot be used. */
  readonly problem?: string;
}

/** What stands for a secret, whatever its length. */
const MASK = "********";

/** Keys whose values prove who one is; `user` without a password is a token. */
const SECRET_KEYS: ReadonlySet<string> = new Set(["password", "token", "user_jwt", "user_seed", "nsc"]);

/** Keys that are shown as they are. Whatever else a file may hold counts as a secret. */
const OPEN_KEYS: ReadonlySet<string> = new Set([
  "description",
  "user",
  "creds",
  "nkey",
  "cert",
  "key",
  "ca",
  "jetstream_domain",
  "jetstream_api_prefix",
  "jetstream_event_prefix",
  "inbox_prefix",
  "color_scheme",
  "tls_first",
  "windows_cert_store",
  "windows_cert_match",
  "windows_cert_match_by",
]);

/** Keys that hold addresses, which may have credentials in them. */
const URL_KEYS: ReadonlySet<string> = new Set(["url", "socks_proxy"]);

/** Every context of this account, sorted by name; also those whose file is damaged. */
export async function listContexts(environment: Environment): Promise<readonly ShownContext[]> {
  const directory = contextDirectory(environment);
  if (directory === undefined) return [];
  const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw new NexError({
      code: "NATS_CONTEXT_INVALID",
      message: `Cannot list the NATS contexts in "${directory}": ${errorText(error)}`,
      cause: error,
    });
  });
  const names = files
    .filter((file) => file.endsWith(".json") && !file.startsWith("."))
    .map((file) => file.slice(0, -".json".length))
    .sort();
  return Promise.all(names.map(async (name) => readShownContext(name, join(directory, `${name}.json`))));
}

async function readShownContext(name: string, path: string): Promise<ShownContext> {
  try {
    const file = fields(await readFile(path, "utf8"));
    const settings = Object.fromEntries(
      Object.entries(file).flatMap(([key, value]) => {
        const shown = shownValue(key, value, file);
        return shown === undefined ? [] : [[key, shown]];
      }),
    );
    const { description = "", url = "" } = settings;
    return { name, path, description: String(description), url: String(url), settings };
  } catch (error) {
    return { name, path, description: "", url: "", settings: {}, problem: errorText(error) };
  }
}

function fields(json: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's text quotes the file, which may hold secrets.
    throw new Error("the file is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("the file holds no JSON object");
  }
  return value as Readonly<Record<string, unknown>>;
}

function shownValue(
  key: string,
  value: unknown,
  file: Readonly<Record<string, unknown>>,
): string | boolean | number | undefined {
  if (value === "" || value === null || value === undefined || value === false) return undefined;
  if (SECRET_KEYS.has(key) || (key === "user" && !file["password"])) return MASK;
  if (URL_KEYS.has(key)) return typeof value === "string" ? withoutCredentials(value) : MASK;
  if (!OPEN_KEYS.has(key)) return MASK;
  return typeof value === "string" || typeof value === "boolean" || typeof value === "number" ? value : MASK;
}

/** Server URLs with `user:password@` and `token@` masked. */
export function withoutCredentials(urls: string): string {
  return urls
    .split(",")
    .map((url) => {
      const [, scheme = "", rest = ""] = /^\s*([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(url) ?? [];
      const at = rest.lastIndexOf("@");
      return at === -1 ? url.trim() : `${scheme}${MASK}@${rest.slice(at + 1)}`;
    })
    .join(",");
}
