import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { NexError, errorText } from "../lib/errors.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { ConfigurationFile } from "./configuration-schema.ts";
import type { NodeConfiguration } from "./configuration-schema.ts";

export type { NodeConfiguration } from "./configuration-schema.ts";

/** Keys given on the command line; they go before the file. */
export type ConfigurationOverrides = Readonly<Partial<z.input<typeof ConfigurationFile>>>;

/**
 * Reads, merges and checks a node configuration: overrides, then the file, then the defaults of the schema.
 * Without a path the defaults alone are used.
 *
 * @throws {NexError} `CONFIGURATION_INVALID`: unreadable, not JSON, or a key that is wrong (all of them are named)
 */
export async function loadConfiguration(
  path: string | undefined,
  overrides: ConfigurationOverrides = {},
): Promise<NodeConfiguration> {
  const file = path === undefined ? {} : await readJsonObject(path);
  return parseConfiguration({ ...file, ...overrides }, path ?? "defaults");
}

/**
 * Checks a configuration object; `source` names it in errors.
 *
 * @throws {NexError} `CONFIGURATION_INVALID`
 */
export function parseConfiguration(input: unknown, source: string): NodeConfiguration {
  const parsed = ConfigurationFile.safeParse(input);
  if (!parsed.success) {
    throw invalid(source, parsed.error.issues.flatMap(describeIssue).join("; "));
  }
  return requireImages(withSynonyms(withSandbox(parsed.data, source)), source);
}

async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (cause) {
    throw new NexError({
      code: "CONFIGURATION_INVALID",
      message: `Cannot read node configuration "${path}": ${errorText(cause)}`,
      hint: "Give the file with --config, or copy one of examples/nodeconfigs",
      cause,
    });
  }
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch (cause) {
    throw invalid(path, `not JSON: ${errorText(cause)}`, cause);
  }
  throw invalid(path, "not a JSON object");
}

/** `no_sandbox` is the older way to say `"sandbox": "process"`. */
function withSandbox(configuration: NodeConfiguration, source: string): NodeConfiguration {
  const { sandbox, no_sandbox: noSandbox } = configuration;
  if (noSandbox && (sandbox === "firecracker" || sandbox === "qemu")) {
    throw invalid(source, `"no_sandbox": true and "sandbox": "${sandbox}" exclude each other`);
  }
  const isProcess = noSandbox || sandbox === "process";
  return { ...configuration, no_sandbox: isProcess, sandbox: isProcess ? "process" : sandbox };
}

function withSynonyms(configuration: NodeConfiguration): NodeConfiguration {
  const directory = configuration.default_resource_dir;
  const inDirectory = (name: string): string | undefined =>
    directory === undefined ? undefined : join(directory, name);
  return {
    ...configuration,
    kernel_filepath: configuration.kernel_filepath ?? configuration.kernel_file ?? inDirectory("vmlinux"),
    rootfs_filepath: configuration.rootfs_filepath ?? configuration.rootfs_file ?? inDirectory("rootfs.ext4"),
  };
}

function requireImages(configuration: NodeConfiguration, source: string): NodeConfiguration {
  if (configuration.no_sandbox) return configuration;
  if (process.platform !== "linux")
    throw invalid(source, "host must be configured to run in no sandbox mode");
  if (configuration.kernel_filepath === undefined) throw invalid(source, "invalid kernel file setting");
  if (configuration.rootfs_filepath === undefined) throw invalid(source, "invalid rootfs file setting");
  return configuration;
}

function invalid(source: string, detail: string, cause?: unknown): NexError {
  return new NexError({
    code: "CONFIGURATION_INVALID",
    message: `Cannot use node configuration "${source}": ${detail}`,
    hint: "docs/configuration.md lists every key with its type and default",
    cause,
  });
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") return [`"${path}": ${issue.message}`];
  const known = knownKeys(issue.path);
  return issue.keys.map((key) => {
    const near = nearestName(key, known);
    const where = [...issue.path, key].join(".");
    return `unknown key "${where}"${near === undefined ? "" : ` (did you mean "${near}"?)`}`;
  });
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.core.$ZodType | undefined = ConfigurationFile;
  for (const key of path) {
    const object = unwrap(schema);
    if (object instanceof z.ZodArray) schema = object.element;
    else schema = object instanceof z.ZodObject ? object.shape[String(key)] : undefined;
  }
  const object = unwrap(schema);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let inner = schema;
  for (;;) {
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      inner = inner.unwrap();
    } else if (inner instanceof z.ZodNullable) inner = inner.unwrap();
    else if (inner instanceof z.ZodPipe) inner = inner.in;
    else return inner;
  }
}
