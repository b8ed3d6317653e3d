import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errorText, NexError } from "../lib/errors.ts";

/** Environment variables, handed in by whoever may read the process's. */
export type Environment = Readonly<Record<string, string | undefined>>;

const text = z
  .string()
  .nullish()
  .transform((value) => (value ? value : undefined));

/** The file of a NATS context, as the `nats` command writes it: every key present, most of them empty. */
const ContextFile = z.object({
  url: text,
  user: text,
  password: text,
  token: text,
  creds: text,
  nkey: text,
  cert: text,
  key: text,
  ca: text,
  nsc: text,
  jetstream_domain: text,
  inbox_prefix: text,
  user_jwt: text,
  user_seed: text,
  socks_proxy: text,
  tls_first: z
    .boolean()
    .nullish()
    .transform((value) => value === true),
});

/** A named set of connection settings; empty values are left out, `~/` in paths is resolved. */
export interface NatsContext {
  readonly url?: string;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly creds?: string;
  readonly nkey?: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
  readonly jetstreamDomain?: string;
  readonly inboxPrefix?: string;
  readonly userJwt?: string;
  readonly userSeed?: string;
  readonly tlsFirst?: boolean | undefined;
}

/**
 * Reads `{XDG_CONFIG_HOME or ~/.config}/nats/context/{name}.json`.
 *
 * @throws {NexError} `NATS_CONTEXT_UNKNOWN`, `NATS_CONTEXT_INVALID`
 */
export async function readContext(name: string, environment: Environment): Promise<NatsContext> {
  const path = contextPath(name, environment);
  const file = parse(name, path, await read(name, path));
  if (file.nsc !== undefined)
    throw unsupported(name, "nsc", "put the path of a credentials file into its creds");
  if (file.socks_proxy !== undefined) throw unsupported(name, "socks_proxy", "connect without a proxy");
  const resolved = (value: string | undefined): string | undefined => expandHome(value, environment);
  return withoutUndefined({
    url: file.url,
    user: file.user,
    password: file.password,
    token: file.token,
    creds: resolved(file.creds),
    nkey: resolved(file.nkey),
    cert: resolved(file.cert),
    key: resolved(file.key),
    ca: resolved(file.ca),
    jetstreamDomain: file.jetstream_domain,
    inboxPrefix: file.inbox_prefix,
    userJwt: file.user_jwt,
    userSeed: file.user_seed,
    tlsFirst: file.tls_first || undefined,
  });
}

/** Where the files of contexts are; undefined when neither `XDG_CONFIG_HOME` nor `HOME` is set. */
export function contextDirectory({
  XDG_CONFIG_HOME: configured,
  HOME: home,
}: Environment): string | undefined {
  if (configured) return join(configured, "nats", "context");
  return home ? join(home, ".config", "nats", "context") : undefined;
}

function contextPath(name: string, environment: Environment): string {
  const directory = contextDirectory(environment);
  if (!/^[^/\\]+$/.test(name) || name.startsWith(".")) throw unknown(name, "it is not a name");
  if (directory === undefined) throw unknown(name, "neither XDG_CONFIG_HOME nor HOME is set");
  return join(directory, `${name}.json`);
}

async function read(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT")
      throw unknown(name, `there is no file "${path}"`, cause);
    throw contextInvalid(name, errorText(cause), cause);
  }
}

function parse(name: string, path: string, json: string): z.infer<typeof ContextFile> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw contextInvalid(name, `"${path}" is not JSON`);
  }
  const result = ContextFile.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw contextInvalid(
    name,
    `"${path}": ${issue?.path.join(".") || "content"}: ${issue?.message ?? "not valid"}`,
  );
}

function expandHome(path: string | undefined, environment: Environment): string | undefined {
  return path?.startsWith("~/") && environment["HOME"] ? join(environment["HOME"], path.slice(2)) : path;
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function unknown(name: string, reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "NATS_CONTEXT_UNKNOWN",
    message: `Cannot use NATS context "${name}": unknown context provided (${reason})`,
    hint: "Name a context that exists with --context, or connect with --server instead",
    cause,
  });
}

function unsupported(name: string, key: string, remedy: string): NexError {
  return contextInvalid(name, `its key "${key}" is not supported; ${remedy}`);
}

function contextInvalid(name: string, reason: string, cause?: unknown): NexError {
  return new NexError({
    code: "NATS_CONTEXT_INVALID",
    message: `Cannot use NATS context "${name}": ${reason}`,
    cause,
  });
}
