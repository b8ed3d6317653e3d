import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { ControlClient, SigningKey } from "../control-api/index.ts";
import { NexError } from "../lib/errors.ts";
import { didYouMean } from "./arguments/did-you-mean.ts";
import type { Environment } from "./command.ts";
import { developerDirectory } from "./developer-directory.ts";
import { readIssuerFile } from "./key-file.ts";
import { Refusal } from "./refusal.ts";
import { refusalReason } from "./refusal-reason.ts";
import type { RunningWorkload } from "./running-workload.ts";
import { matchWorkloads, runningWorkloads } from "./running-workload.ts";

/** Who signs a stop. */
export interface StopSigner {
  readonly key: SigningKey;
  readonly path: string;
}

/**
 * The key of `path`, otherwise the one that devrun keeps in `~/.nex`.
 *
 * @throws {NexError} `KEY_FILE_INVALID`
 */
export async function readStopSigner(
  path: string | undefined,
  environment: Environment,
): Promise<StopSigner> {
  const used = path ?? join(developerDirectory(environment), "issuer.nk");
  if (path === undefined && (await isMissing(used))) {
    throw new NexError({
      code: "KEY_FILE_INVALID",
      message: `Cannot sign the stop: there is no issuer key "${used}"`,
      hint: "Give the key that signed the deploy with --issuer; devrun makes that file when it deploys",
    });
  }
  return { key: await readIssuerFile(used), path: used };
}

/**
 * The running workloads that an id, a name or the beginning of an id means.
 *
 * @throws {NexError} `WORKLOAD_NOT_FOUND`; `WORKLOAD_AMBIGUOUS` when there are several and `all` is false
 */
export async function findTargets(
  client: ControlClient,
  text: string,
  { name, all }: { readonly name: string | undefined; readonly all: boolean },
): Promise<readonly RunningWorkload[]> {
  const replies = await client.findWorkloads(undefined, {
    // An id is unique: then nobody else needs to be heard.
    enough: (answers) =>
      answers.some(({ running_machines }) => running_machines.some(({ id }) => id === text)),
  });
  const running = runningWorkloads(replies);
  const found = matchWorkloads(running, text).filter((each) => name === undefined || each.name === name);
  if (found.length === 0) throw notFound(text, { name, namespace: client.namespace, running });
  if (found.length > 1 && !all) throw ambiguous(text, found);
  return found;
}

/**
 * Stops one workload.
 *
 * @throws {Refusal} with the node's text (protocol section 10.5)
 */
export async function stopOne(
  client: ControlClient,
  target: Pick<RunningWorkload, "id" | "name" | "nodeId">,
  { signer, timeoutMs }: { readonly signer: StopSigner; readonly timeoutMs: number },
): Promise<{ readonly id: string; readonly name: string }> {
  const { id: workloadId, name: workloadName, nodeId } = target;
  try {
    const reply = await client.stop({ nodeId, workloadId, workloadName, issuer: signer.key, timeoutMs });
    if (reply.stopped) return { id: reply.id, name: reply.name };
  } catch (error) {
    if (!(error instanceof NexError) || error.code === "ABORTED") throw error;
    throw refused(error, signer);
  }
  throw new Refusal("⛔ Workload failed to stop");
}

function refused(error: NexError, { path }: StopSigner): Refusal {
  const reason = refusalReason(error);
  const cause = new NexError({
    code: error.code,
    message: error.message,
    cause: error,
    ...hintFor(error, reason, path),
  });
  return new Refusal(`⛔ Workload stop request failed: ${reason}`, cause);
}

function hintFor(error: NexError, reason: string, path: string): { readonly hint?: string } {
  if (/only entity allowed to terminate/.test(reason)) {
    return { hint: `It was signed with "${path}": give the issuer key that signed the deploy with --issuer` };
  }
  if (reason === "No such workload") {
    return { hint: 'List the workloads of this namespace with "nex ps", of another one with --namespace' };
  }
  if (/subject does not match/.test(reason)) return { hint: 'Give the name that "nex ps" shows' };
  return error.hint === undefined ? {} : { hint: error.hint };
}

function notFound(
  text: string,
  {
    name,
    namespace,
    running,
  }: {
    readonly name: string | undefined;
    readonly namespace: string;
    readonly running: readonly RunningWorkload[];
  },
): NexError {
  const names = new Set(running.map((each) => each.name));
  const called = name === undefined ? "" : ` of name "${name}"`;
  return new NexError({
    code: "WORKLOAD_NOT_FOUND",
    message: `No workload "${text}"${called} in namespace "${namespace}"${didYouMean(text, names)}`,
    hint:
      running.length === 0
        ? "None runs there: give another namespace with --namespace"
        : 'List those that run with "nex ps"; give another namespace with --namespace',
  });
}

function ambiguous(text: string, found: readonly RunningWorkload[]): NexError {
  const lines = found.map(({ id, name, nodeId, nodeName }) => `  ${id}  ${name} on ${nodeName} (${nodeId})`);
  return new NexError({
    code: "WORKLOAD_AMBIGUOUS",
    message: `"${text}" means ${found.length} workloads:\n${lines.join("\n")}`,
    hint: "Give the id of one, or --all to stop them all",
  });
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
}
