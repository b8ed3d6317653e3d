/**
 * Deploys a file in development: the logic of `nex devrun` (protocol section 10.4), usable without a terminal.
 *
 * F1 everything that can be checked without a node is checked first
 * F2 a node that already runs the workload is preferred, and its older copies are stopped: before the new one starts, or
 *    once it runs, so that no message finds nobody (functions share their triggers)
 * F3 types are checked beside the deploy, which neither fails for them nor waits for them
 * F4 what goes on is told as steps, in the order in which they happen; nothing is printed here
 */
import { resolve } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { createControlClient, locationOf } from "../../control-api/index.ts";
import type { ControlClient, DeployReply, InfoReply } from "../../control-api/index.ts";
import { usageError } from "../arguments/usage-error.ts";
import { buildFunction } from "../build/build-function.ts";
import type { BuiltFunction } from "../build/build-function.ts";
import { checkTypes } from "../build/check-types.ts";
import type { TypeCheck } from "../build/check-types.ts";
import { nodeName } from "../node-name.ts";
import { Refusal } from "../refusal.ts";
import { asRefusal } from "../refusal-reason.ts";
import { chooseNode } from "./choose-node.ts";
import { keepDeveloperKeys } from "./developer-keys.ts";
import type { DeveloperKeys } from "./developer-keys.ts";
import { stopOlder } from "./stop-older.ts";
import { checkFunctionOptions } from "./function-options.ts";
import type { FunctionOptions } from "./function-options.ts";
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
  /** What was built of the function already. Default: built now. */
  readonly built?: BuiltFunction | undefined;
  /** Environment of the workload. Default empty. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  /** Default false. */
  readonly essential?: boolean;
  /** Functions need at least one. */
  readonly triggerSubjects?: readonly string[];
  /** Functions only. */
  readonly options?: FunctionOptions;
  /** Stop older copies on the node. Default true. */
  readonly stopExisting?: boolean;
  /** Stop them only when the new copy runs. Default false. */
  readonly startFirst?: boolean;
  /** Deploys there, without an auction. */
  readonly nodeId?: string;
  readonly bucketMaxBytes?: number | undefined;
  readonly jetStreamDomain?: string | undefined;
  /** How long nodes may take to offer themselves. Default 750. */
  readonly auctionMs?: number;
  /** Time limit of each request to the node; more for stops and for deploys of large files. Default 2000. */
  readonly timeoutMs?: number;
  /** Time limit of the deploy itself, beside what the size of the file allows. Default {@link DEPLOY_MS}. */
  readonly deployMs?: number;
  readonly onStep?: (step: DeployStep) => void;
  readonly signal?: AbortSignal;
}

/** What has just happened. */
export type DeployStep =
  | { readonly kind: "inspected"; readonly file: WorkloadFile }
  /** Of functions in JavaScript and TypeScript. */
  | { readonly kind: "built"; readonly built: BuiltFunction }
  /** Of bundled functions; may come at any later time. */
  | { readonly kind: "types-checked"; readonly check: TypeCheck }
  | { readonly kind: "node-chosen"; readonly nodeId: string; readonly name: string }
  | { readonly kind: "keys"; readonly keys: DeveloperKeys }
  | { readonly kind: "uploading"; readonly sentBytes: number; readonly totalBytes: number }
  | { readonly kind: "uploaded"; readonly bytes: number; readonly reused: boolean }
  | { readonly kind: "stopping-older"; readonly name: string; readonly id: string }
  | { readonly kind: "stopping-replaced"; readonly name: string; readonly id: string };

/** A workload that runs. */
export interface DeployedFile {
  readonly nodeId: string;
  readonly workloadId: string;
  readonly name: string;
  readonly type: WorkloadType;
  /** Hex SHA-256 of what was uploaded: the file, or the bundle made of it. */
  readonly hash: string;
  /** What isolates it; undefined when the node does not tell. */
  readonly isolation: string | undefined;
  /** Absolute paths of the files that it is made of. */
  readonly inputs: readonly string[];
  /** Resolves once the types have been checked and told, which may take longer than the deploy. */
  readonly typesTold: Promise<void>;
  /** Ids of the older copies that were stopped. */
  readonly stopped: readonly string[];
}

/** Text of a function without trigger subject (protocol section 10.3). */
const TRIGGER_SUBJECT_MISSING =
  "cannot start a function-type workload without specifying at least one trigger subject";

const AUCTION_MS = 750;
const REQUEST_MS = 2000;
/** A node may have to boot a machine first, without KVM; it answers as soon as it knows. */
export const DEPLOY_MS = 30_000;
/** The slowest rate of fetching a file that is worth waiting for. */
const FETCH_BYTES_PER_MS = 10_000;

/**
 * Deploys a file (F1 to F4) and resolves when the node has accepted it.
 *
 * @throws {NexError} `WORKLOAD_FILE_INVALID`, `BUILD_FAILED`, `USAGE`, `NODE_NOT_FOUND`, `KEY_FILE_INVALID`, `UPLOAD_FAILED`, a
 *   {@link Refusal} with the node's text, or what `signal` was aborted with
 */
export async function deployFile(order: DeployFileOrder): Promise<DeployedFile> {
  const inspected = await inspectOrder(order);
  order.onStep?.({ kind: "inspected", file: inspected });
  if (inspected.type !== "v8") return deployArtifact(order, inspected, undefined);

  const built = order.built ?? (await buildFunction({ path: order.path }));
  order.onStep?.({ kind: "built", built });
  const file = { ...inspected, bytes: built.content.length };
  if (built.kind === "script") return deployArtifact(order, file, built);
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, ...(order.signal === undefined ? [] : [order.signal])]);
  const typesTold = checkTypes({ path: order.path, inputs: built.inputs, signal }).then((check) =>
    order.onStep?.({ kind: "types-checked", check }),
  );
  try {
    return { ...(await deployArtifact(order, file, built)), typesTold };
  } catch (error) {
    ending.abort();
    await typesTold;
    throw error;
  }
}

async function deployArtifact(
  order: DeployFileOrder,
  file: WorkloadFile,
  built: BuiltFunction | undefined,
): Promise<DeployedFile> {
  const { connection, onStep, namespace = "default", timeoutMs = REQUEST_MS } = order;
  const signal = order.signal ?? new AbortController().signal;
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
    content: built?.content,
    key: file.name,
    bytes: file.bytes,
    bucketMaxBytes: order.bucketMaxBytes,
    jetStreamDomain: order.jetStreamDomain,
    onProgress: (sentBytes, totalBytes) => onStep?.({ kind: "uploading", sentBytes, totalBytes }),
    signal,
  });
  onStep?.({ kind: "uploaded", bytes: file.bytes, reused });

  const { startFirst = false } = order;
  const stopCopies = async (): Promise<string[]> =>
    order.stopExisting === false
      ? []
      : stopOlder({
          client,
          nodeId,
          machines: info.machines,
          name: file.name,
          issuer: keys.issuer.key,
          timeoutMs,
          settle: !startFirst,
          onStopping: (id) =>
            onStep?.({ kind: startFirst ? "stopping-replaced" : "stopping-older", name: file.name, id }),
          signal,
        });
  const before = startFirst ? [] : await stopCopies();
  signal.throwIfAborted();
  const { id: workloadId, isolation } = await deploy({ order, client, nodeId, info, keys, file, hash });
  const stopped = startFirst ? await stopCopies() : before;
  const inputs = built?.inputs ?? [resolve(file.path)];
  return {
    nodeId,
    workloadId,
    name: file.name,
    type: file.type,
    hash,
    isolation,
    inputs,
    typesTold: Promise.resolve(),
    stopped,
  };
}

/** What can be told, and refused, without any connection (F1). */
export async function inspectOrder(
  order: Pick<DeployFileOrder, "path" | "type" | "triggerSubjects" | "options">,
): Promise<WorkloadFile> {
  const file = await inspectWorkloadFile(order.path, order.type);
  checkTriggers(file.type, order.triggerSubjects);
  checkFunctionOptions(file.type, order.options);
  return file;
}

/** Refuses triggers that the workload cannot have, and functions without one. */
export function checkTriggers(type: WorkloadType, triggerSubjects: readonly string[] = []): void {
  if (type !== "native" && triggerSubjects.length === 0) throw usageError(TRIGGER_SUBJECT_MISSING);
  if (type === "native" && triggerSubjects.length > 0) {
    throw usageError("trigger subjects are only for functions (--type=v8 or --type=wasm)");
  }
}

async function deploy(parts: {
  readonly order: DeployFileOrder;
  readonly client: ControlClient;
  readonly nodeId: string;
  readonly info: InfoReply;
  readonly keys: DeveloperKeys;
  readonly file: WorkloadFile;
  readonly hash: string;
}): Promise<DeployReply> {
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
      timeoutMs: (order.deployMs ?? DEPLOY_MS) + fetchMs(file.bytes),
      issuer: keys.issuer.key,
      publisher: keys.publisher.key,
      environment: order.environment ?? {},
      description: "Workload published in devmode",
      essential: order.essential ?? false,
      ...(argv.length === 0 ? {} : { arguments: argv }),
      ...(triggerSubjects.length === 0 ? {} : { triggerSubjects }),
      ...order.options,
      ...(order.jetStreamDomain === undefined ? {} : { jsDomain: order.jetStreamDomain }),
    });
    if (reply.started) return reply;
  } catch (error) {
    throw asRefusal(error, deployRefused);
  }
  throw new Refusal(DEPLOY_REJECTED);
}

/** A node answers a deploy after it has fetched the file: how much longer that may take. */
export function fetchMs(bytes: number): number {
  return Math.ceil(bytes / FETCH_BYTES_PER_MS);
}

/** Texts of a deploy that did not happen (protocol section 10.3). */
export const DEPLOY_REJECTED = "⛔ Workload rejected";

/** The text for a deploy that failed for `reason`. */
export function deployRefused(reason: string): string {
  return `⛔ Workload run request failed to submit: ${reason}`;
}
