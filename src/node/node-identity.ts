import { readFile } from "node:fs/promises";
import { arch, availableParallelism, platform } from "node:os";
import type { Memory } from "../control-api/info.ts";
import type { SealingKey, SigningKey } from "../control-api/keys.ts";

/** Who a node is: constant from its start to its end. */
export interface NodeIdentity {
  /** Its public key is the node's id. */
  readonly key: SigningKey;
  /** Environments are sealed for its public key. */
  readonly xkey: SealingKey;
  readonly version: string;
  /** Name of the cluster, as given to `node up --nexus`. */
  readonly nexus: string;
  readonly startedAt: Date;
  /** What isolates its workloads, in words. */
  readonly isolation: string;
  /** Configured tags and the reserved ones (protocol.md 9.4), without `nex.lameduck`. */
  readonly tags: Readonly<Record<string, string>>;
}

/** The Go name of this operating system, as the tag `nex.os` has it. */
function osName(): string {
  const name = platform();
  return name === "win32" ? "windows" : name;
}

/** The Go name of this processor architecture, as the tag `nex.arch` has it. */
function archName(): string {
  const name = arch();
  return name === "x64" ? "amd64" : name;
}

/** Configured tags plus a random `node_name` when there is none, overridden by the reserved tags. */
export function nodeTags(
  configured: Readonly<Record<string, string>>,
  sandboxed: boolean,
): Record<string, string> {
  return {
    node_name: randomName(),
    ...configured,
    "nex.os": osName(),
    "nex.arch": archName(),
    "nex.cpucount": String(availableParallelism()),
    ...(sandboxed ? {} : { "nex.unsafe": "true" }),
  };
}

/** The host's memory in kB from `/proc/meminfo`; undefined where that file does not exist. */
export async function readMemory(): Promise<Memory | undefined> {
  const content = await readFile("/proc/meminfo", "utf8").catch(() => "");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(content)?.[1] ?? NaN);
  const memory = { total: field("MemTotal"), free: field("MemFree"), available: field("MemAvailable") };
  return Object.values(memory).every(Number.isInteger) ? memory : undefined;
}

const ADJECTIVES =
  "amber bold brave bright calm clever crisp eager fair gentle keen lively lucky mellow quick quiet ready sharp swift warm".split(
    " ",
  );
const NOUNS =
  "badger crane falcon ferret fox gecko heron ibis lynx marten moose otter owl panda puffin raven robin seal stork wren".split(
    " ",
  );

function randomName(): string {
  const pick = (words: readonly string[]): string => words[Math.floor(Math.random() * words.length)] ?? "";
  return `${pick(ADJECTIVES)}-${pick(NOUNS)}`;
}
