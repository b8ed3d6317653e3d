/**
 * Deploys a file in development: the logic of `nex devrun` (protocol section 10.4), usable without a terminal.
 *
 * F1 everything that can be checked without a node is checked first
 * F2 a node that already runs the workload is preferred, and its older copies are stopped before the new one starts
 * F3 what goes on is told as steps, in the order in which they happen; nothing is printed here
 */
import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { createControlClient, locationOf } from "../../control-api/index.ts";
import type { ControlClient, InfoReply } from "../../control-api/index.ts";
import { NexError } from "../../lib/errors.ts";
import { usageError } from "../arguments/usage-error.ts";
import { nodeName } from "../node-name.ts";
import { Refusal } from "../refusal.ts";
import { asRefusal, refusalReason } from "../refusal-reason.ts";
import { chooseNode } from "./choose-node.ts";
import { keepDeveloperKeys } from "./developer-keys.ts";
import type { DeveloperKeys } from "./developer-keys.ts";
import { DEVELOPER_BUCKET, uploadWorkload } from "./upload.ts";
import { inspectWorkloadFile } from "./workload-file.ts";
import type { WorkloadFile, WorkloadType } from "./workload-file.ts";

/** What to deploy, and how. */
export interface DeployFileOrder {
  readonly connection: NatsConnection;
  readonly path: string;
  /** Where the developer's keys are kept, usually `~/.nex`. */
  readonly keyDirectory: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Default: by the name of the file. */
  readonly type?: WorkloadType | undefined;
  /** Environment of the workload. Default empty. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  /** Default false. */
  readonly essential?: boolean;
  /** Functions need at least one. */
  readonly triggerSubjects?: readonly string[];
  /** Stop older copies on the node. Default true. */
  readonly stopExisting?: boolean;
  /** Deploys there, without an auction. */
  readonly nodeId?: string;
  readonly bucketMaxBytes?: number | undefined;
  readonly jetStreamDomain?: string | undefined;
  /** How long nodes may take to offer themselves. Default 750. */
  readonly auctionMs?: number;
  /** Time limit of each request to the node; more for stops and for deploys of large files. Default 2000. */
  readonly timeoutMs?: number;
  readonly onStep?: (step: DeployStep) => void;
  readonly signal?: AbortSignal;
}

/** What has just happened. */
export type DeployStep =
  | { readonly kind: "inspected"; readonly file: WorkloadFile }
  | { readonly kind: "node-chosen"; readonly nodeId: string; readonly name: string }
  | { readonly kind: "keys"; readonly keys: DeveloperKeys }
  | { readonly kind: "uploading"; readonly sentBytes: number; readonly totalBytes: number }
  | { readonly kind: "uploaded"; readonly bytes: number; readonly reused: boolean }
  | { readonly kind: "stopping-older"; readonly name: string; readonly id: string };

/** A workload that runs. */
export interface DeployedFile {
  readonly nodeId: string;
  readonly workloadId: string;
  readonly name: string;
  readonly type: WorkloadType;
  /** Hex SHA-256 of the file. */
  readonly hash: string;
  /** Ids of the older copies that were stopped. */
  readonly stopped: readonly string[];
}

/** Text of a function without trigger subject (protocol section 10.3). */
const TRIGGER_SUBJECT_MISSING =
  "cannot start a function-type workload without specifying at least one trigger subject";

const AUCTION_MS = 750;
const REQUEST_MS = 2000;
/** A node answers a stop once the workload is gone, which has time to leave. */
export const STOP_MS = 10_000;
/** A node answers a deploy after it has fetched the file: the slowest rate at which that is worth waiting for. */
const FETCH_BYTES_PER_MS = 10_000;
const SETTLE_MS = 500;

/**
 * Deploys a file (F1 to F3) and resolves when the node has accepted it.
 *
 * @throws {NexError} `WORKLOAD_FILE_INVALID`, `USAGE`, `NODE_NOT_FOUND`, `KEY_FILE_INVALID`, `UPLOAD_FAILED`, a
 *   {@link Refusal} with the node's text, or what `signal` was aborted with
 */
export async function deployFile(order: DeployFileOrder): Promise<DeployedFile> {
  const { connection, onStep, namespace = "default", timeoutMs = REQUEST_MS } = order;
  const signal = order.signal ?? new AbortController().signal;
  const file = await inspectOrder(order);
  onStep?.({ kind: "inspected", file });

  const client = createControlClient({ connection, namespace, timeoutMs });
  const nodeId = order.nodeId ?? (await chooseNode(client, file, order.auctionMs ?? AUCTION_MS));
  signal.throwIfAborted();
  const info = await client.nodeInfo(nodeId);
  onStep?.({ kind: "node-chosen", nodeId, name: nodeName(info.tags) });

  const keys = await keepDeveloperKeys(order.keyDirectory);
  onStep?.({ kind: "keys", keys });
  const { hash, reused } = await uploadWorkload({
    connection,
    path: file.path,
    key: file.name,
    bytes: file.bytes,
    bucketMaxBytes: order.bucketMaxBytes,
    jetStreamDomain: order.jetStreamDomain,
    onProgress: (sentBytes, totalBytes) => onStep?.({ kind: "uploading", sentBytes, totalBytes }),
    signal,
  });
  onStep?.({ kind: "uploaded", bytes: file.bytes, reused });

  const stopped =
    order.stopExisting === false
      ? []
      : await stopOlder({ order, client, nodeId, info, keys, name: file.name, signal });
  signal.throwIfAborted();
  const workloadId = await deploy({ order, client, nodeId, info, keys, file, hash });
  return { nodeId, workloadId, name: file.name, type: file.type, hash, stopped };
}

/** What can be told, and refused, without any connection (F1). */
export async function inspectOrder(
  order: Pick<DeployFileOrder, "path" | "type" | "triggerSubjects">,
): Promise<WorkloadFile> {
  const file = await inspectWorkloadFile(order.path, order.type);
  checkTriggers(file.type, order.triggerSubjects);
  return file;
}

/** Refuses triggers that the workload cannot have, and functions without one. */
export function checkTriggers(type: WorkloadType, triggerSubjects: readonly string[] = []): void {
  if (type !== "native" && triggerSubjects.length === 0) throw usageError(TRIGGER_SUBJECT_MISSING);
  if (type === "native" && triggerSubjects.length > 0) {
    throw usageError("trigger subjects are only for functions (--type=v8 or --type=wasm)");
  }
}

async function stopOlder(parts: {
  readonly order: DeployFileOrder;
  readonly client: ControlClient;
  readonly nodeId: string;
  readonly info: InfoReply;
  readonly keys: DeveloperKeys;
  readonly name: string;
  readonly signal: AbortSignal;
}): Promise<string[]> {
  const { order, client, nodeId, info, keys, name, signal } = parts;
  const stopped: string[] = [];
  for (const { id } of info.machines.filter(({ workload }) => workload.name === name)) {
    order.onStep?.({ kind: "stopping-older", name, id });
    try {
      const timeoutMs = Math.max(order.timeoutMs ?? REQUEST_MS, STOP_MS);
      await client.stop({ nodeId, workloadId: id, workloadName: name, issuer: keys.issuer.key, timeoutMs });
    } catch (error) {
      if (isGone(error)) continue;
      throw stopFailed(error);
    }
    stopped.push(id);
    await delay(SETTLE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  return stopped;
}

/** It ended by itself between the listing and the stop. */
function isGone(error: unknown): boolean {
  return (
    error instanceof NexError &&
    error.code === "CONTROL_REFUSED" &&
    refusalReason(error) === "No such workload"
  );
}

function stopFailed(error: unknown): NexError {
  const reason = refusalReason(error);
  return new NexError({
    code: error instanceof NexError ? error.code : "INTERNAL",
    message: `target node failed to stop the existing workload. This may result in inconsistency or unexpected scale-out: ${reason}`,
    hint: "Deploy beside it with --no-stop, or stop it with the issuer key that deployed it",
    cause: error,
  });
}

async function deploy(parts: {
  readonly order: DeployFileOrder;
  readonly client: ControlClient;
  readonly nodeId: string;
  readonly info: InfoReply;
  readonly keys: DeveloperKeys;
  readonly file: WorkloadFile;
  readonly hash: string;
}): Promise<string> {
  const { order, client, nodeId, info, keys, file, hash } = parts;
  const { argv = [], triggerSubjects = [] } = order;
  try {
    const reply = await client.deploy({
      nodeId,
      nodeXkey: info.public_xkey,
      workloadName: file.name,
      workloadType: file.type,
      location: locationOf({ bucket: DEVELOPER_BUCKET, key: file.name }),
      hash,
      timeoutMs: (order.timeoutMs ?? REQUEST_MS) + Math.ceil(file.bytes / FETCH_BYTES_PER_MS),
      issuer: keys.issuer.key,
      publisher: keys.publisher.key,
      environment: order.environment ?? {},
      description: "Workload published in devmode",
      essential: order.essential ?? false,
      ...(argv.length === 0 ? {} : { arguments: argv }),
      ...(triggerSubjects.length === 0 ? {} : { triggerSubjects }),
      ...(order.jetStreamDomain === undefined ? {} : { jsDomain: order.jetStreamDomain }),
    });
    if (reply.started) return reply.id;
  } catch (error) {
    throw asRefusal(error, deployRefused);
  }
  throw new Refusal(DEPLOY_REJECTED);
}

/** Texts of a deploy that did not happen (protocol section 10.3). */
export const DEPLOY_REJECTED = "⛔ Workload rejected";

/** The text for a deploy that failed for `reason`. */
export function deployRefused(reason: string): string {
  return `⛔ Workload run request failed to submit: ${reason}`;
}
