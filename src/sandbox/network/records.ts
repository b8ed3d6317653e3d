/**
 * What a node has made on its host, on disk (V2): one directory per node with `node.json` and a file per machine.
 * They are written before anything is made, and removed once it is gone.
 */
import { mkdir, readFile, readdir, readlink, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ProcessOwner } from "../../lib/process-owner.ts";
import { Conflist } from "./conflist.ts";

/** What a node has made for all its machines. */
export const NodeRecord = z.object({
  owner: ProcessOwner,
  /** The network namespace that all of it is in. */
  networkNamespace: z.string(),
  /** Name of its chains in the packet filter. */
  chain: z.string(),
  gateway: z.string(),
  /** The gateway address was not on the loopback interface before the first node came. */
  addedGateway: z.boolean(),
  /** IP forwarding was off before the first node came. */
  enabledForwarding: z.boolean(),
});
export type NodeRecord = z.infer<typeof NodeRecord>;

/** What was made, or is going to be made, for one machine. */
export const MachineRecord = z.object({
  id: z.string(),
  namespace: z.string(),
  containerId: z.string(),
  interfaceName: z.string(),
  list: Conflist,
  binPath: z.array(z.string()),
  /** Limits each direction of its network. */
  bandwidth: z
    .object({ size: z.number(), refillTimeMs: z.number(), oneTimeBurst: z.number().exactOptional() })
    .exactOptional(),
  /** Of the ADD, once it has succeeded. */
  result: z.unknown().optional(),
});
export type MachineRecord = z.infer<typeof MachineRecord>;

const NODE_FILE = "node.json";

/** The records of one node. */
export interface NodeRecords {
  readonly directory: string;
  /** Undefined when the node was killed before it had made anything. */
  readonly node: NodeRecord | undefined;
}

/** Names the network namespace of this process. */
export function networkNamespace(): Promise<string> {
  return readlink("/proc/self/ns/net");
}

/** The records of all nodes that have used the state directory. Call it with the host locked. */
export async function readAllRecords(stateDirectory: string): Promise<NodeRecords[]> {
  const entries = await readdir(stateDirectory, { withFileTypes: true });
  const directories = entries.filter((entry) => entry.isDirectory());
  return Promise.all(
    directories.map(async ({ name }) => {
      const directory = join(stateDirectory, name);
      return { directory, node: await readRecord(join(directory, NODE_FILE), NodeRecord) };
    }),
  );
}

export async function writeNodeRecord(directory: string, record: NodeRecord): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  await writeRecord(join(directory, NODE_FILE), record);
}

export async function removeNodeRecord(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

/** The records of a node's machines. One cut short was written by a node that was killed before it made anything. */
export async function readMachineRecords(directory: string): Promise<MachineRecord[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".json") && name !== NODE_FILE);
  const records = await Promise.all(names.map((name) => readRecord(join(directory, name), MachineRecord)));
  return records.filter((record) => record !== undefined);
}

/** A machine's record as it is on disk by now. */
export function readMachineRecord(
  directory: string,
  record: MachineRecord,
): Promise<MachineRecord | undefined> {
  return readRecord(machineFile(directory, record), MachineRecord);
}

export async function writeMachineRecord(directory: string, record: MachineRecord): Promise<void> {
  await writeRecord(machineFile(directory, record), record);
}

export async function removeMachineRecord(directory: string, record: MachineRecord): Promise<void> {
  await rm(machineFile(directory, record), { force: true });
}

function machineFile(directory: string, { id }: MachineRecord): string {
  return join(directory, `machine-${id}.json`);
}

/** Renamed into place, so that a reader never sees half of it. */
async function writeRecord(file: string, record: NodeRecord | MachineRecord): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
}

async function readRecord<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return undefined;
  }
}
