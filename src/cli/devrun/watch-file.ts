import type { NatsConnection } from "@nats-io/transport-node";
import { errorText, NexError } from "../../lib/errors.ts";
import type { CommandContext } from "../command.ts";
import { openConnection } from "../connection.ts";
import { Refusal } from "../refusal.ts";
import { clockTime } from "../output/time-format.ts";
import type { DeployedFile, DeployStep } from "./deploy-file.ts";
import { deployOnSave } from "./deploy-on-save.ts";
import type { Replacement } from "./deploy-on-save.ts";
import { startFileWatch } from "./file-watch.ts";
import { acceptedLines } from "./step-text.ts";
import { startStepTeller } from "./step-teller.ts";

/** A workload as `nex devrun --json` prints it. */
export function deployedRecord(
  { nodeId: node_id, workloadId: workload_id, name, type, hash, isolation, stopped }: DeployedFile,
  namespace: string,
): object {
  return { node_id, workload_id, name, namespace, type, hash, isolation: isolation ?? null, stopped };
}

/** What `nex devrun --watch` runs in: its own context, whatever its flags. */
type WatchContext = Omit<CommandContext, "flags" | "arguments"> & {
  readonly flags: { readonly json: boolean };
};

/** `nex devrun --watch` from the connection on: tells what happens until Ctrl-C, which is no failure here. */
export async function watchFile(
  context: WatchContext,
  order: {
    readonly path: string;
    readonly sharesTriggers: boolean;
    readonly deploy: (
      connection: NatsConnection,
      onStep: (step: DeployStep) => void,
      replacement: Replacement,
    ) => Promise<DeployedFile>;
  },
): Promise<void> {
  const { output, signal, flags, global } = context;
  const { path, sharesTriggers } = order;
  await using opened = await openConnection(context);
  const { connection } = opened;
  using watch = startFileWatch(path);
  const ending = new AbortController();
  const lost = connection.closed().then((cause) => {
    ending.abort(connectionLost(cause));
  });
  let rounds = 0;
  const running = await deployOnSave({
    path,
    sharesTriggers,
    watch,
    deploy: async (replacement) => {
      using teller = startStepTeller(context, path, { quiet: rounds++ > 0 });
      return await order.deploy(connection, teller.onStep, replacement);
    },
    onSaved: () => output.note(`${clockTime(new Date())} ${path} was saved, deploying it again`),
    onDeployed: (deployed) => {
      if (flags.json) output.jsonLine(deployedRecord(deployed, global.namespace));
      else acceptedLines(deployed).forEach(output.line);
      if (rounds === 1) output.note(`Watching ${path} (Ctrl-C ends)`);
    },
    onFailed: (error) => output.note(`${failureLines(error)}\nStill watching ${path} (Ctrl-C ends)`),
    signal: AbortSignal.any([signal, ending.signal]),
  });
  if (!signal.aborted) {
    await lost;
    throw ending.signal.reason;
  }
  output.note(
    running === undefined
      ? `No longer watching ${path}`
      : `No longer watching ${path}; workload '${running.name}' (${running.workloadId}) keeps running`,
  );
}

function failureLines(error: unknown): string {
  const text = error instanceof Refusal ? error.message : `nex: error: ${errorText(error)}`;
  return error instanceof NexError && error.hint !== undefined ? `${text}\nhint: ${error.hint}` : text;
}

function connectionLost(cause: unknown): NexError {
  return new NexError({
    code: "NATS_CONNECTION_LOST",
    message: `The NATS connection is lost${cause instanceof Error ? `: ${errorText(cause)}` : ""}`,
    cause,
  });
}
