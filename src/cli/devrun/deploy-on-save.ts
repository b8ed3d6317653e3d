/**
 * Deploys a file again whenever it is saved: `nex devrun --watch`.
 *
 * V1 a failure is told, and watching goes on; what runs keeps running
 * V2 functions are replaced without a gap: the new copy is started first. Where the node has no room for two, and for
 *    services, which may hold a port, the older copy is stopped first
 * V3 a save that changes nothing deploys nothing
 */
import { NexError } from "../../lib/errors.ts";
import { artifactHash } from "../build/build-function.ts";
import { Refusal } from "../refusal.ts";
import type { DeployedFile } from "./deploy-file.ts";
import type { FileWatch } from "./file-watch.ts";

/** How a copy takes the place of the one before. */
export interface Replacement {
  /** Start the new copy before the older one is stopped. */
  readonly startFirst: boolean;
  /** Where the copy before runs; undefined to choose a node. */
  readonly nodeId: string | undefined;
}

/** What to deploy on, and whom to tell. */
export interface DeployOnSave {
  readonly path: string;
  /** Whether two copies may run at a time. */
  readonly sharesTriggers: boolean;
  readonly watch: FileWatch;
  readonly deploy: (replacement: Replacement) => Promise<DeployedFile>;
  readonly onSaved: () => void;
  readonly onDeployed: (deployed: DeployedFile) => void;
  readonly onFailed: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Refusals of a node that has no room for another copy (protocol section 4). */
const NO_ROOM = /maximum workload limit|total limitations/;

/**
 * Deploys, then again after each save, until `signal` is aborted (V1 to V3). Returns the copy that runs.
 *
 * @throws {NexError} when the file cannot be watched any more
 */
export async function deployOnSave(options: DeployOnSave): Promise<DeployedFile | undefined> {
  const { path, watch, signal } = options;
  let running: DeployedFile | undefined;
  let failed = false;
  for (let round = 0; !signal.aborted; round++) {
    if (round > 0) {
      try {
        await watch.changed(signal);
      } catch (error) {
        if (signal.aborted) break;
        throw error;
      }
      if (!failed && running !== undefined && (await artifactHash(path)) === running.hash) continue;
      options.onSaved();
    }
    try {
      running = await replace(options, running);
      failed = false;
      watch.follow(running.inputs);
      options.onDeployed(running);
    } catch (error) {
      if (signal.aborted) break;
      failed = true;
      options.onFailed(error);
      if (isLost(error)) running = undefined;
    }
  }
  return running;
}

async function replace(
  { deploy, sharesTriggers }: DeployOnSave,
  running: DeployedFile | undefined,
): Promise<DeployedFile> {
  const startFirst = sharesTriggers && running !== undefined;
  const nodeId = running?.nodeId;
  try {
    return await deploy({ startFirst, nodeId });
  } catch (error) {
    if (!startFirst || !(error instanceof Refusal) || !NO_ROOM.test(error.message)) throw error;
    return deploy({ startFirst: false, nodeId });
  }
}

/** The node of the copy before does not answer: the next save looks for another one. */
function isLost(error: unknown): boolean {
  return error instanceof NexError && (error.code === "NODE_NOT_FOUND" || error.code === "TIMEOUT");
}
