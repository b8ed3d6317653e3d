import type { ControlClient } from "../../control-api/index.ts";
import { errorText, NexError } from "../../lib/errors.ts";
import { usageError } from "../arguments/usage-error.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { timeoutMs, withControlClient } from "../connection.ts";
import { STOP_MS } from "../devrun/stop-older.ts";
import { Refusal } from "../refusal.ts";
import { resolveNodeId } from "../resolve-node.ts";
import type { RunningWorkload } from "../running-workload.ts";
import { findTargets, readStopSigner, stopOne } from "../stop-workload.ts";

/** `nex stop`: ends a workload, or all of a name. */
export const stop = defineCommand({
  description:
    "Stops a workload, given by its name, its id or the beginning of that, wherever it runs. Only the issuer that deployed it may do so; without --issuer it is the one that devrun uses, ~/.nex/issuer.nk. With two arguments the first is the node and the second the id of the workload.",
  arguments: {
    id: { help: "Name or id of the workload; before a WORKLOAD_ID the node's id or name" },
    workload_id: { help: "Id of the workload on that node", required: false },
  },
  flags: {
    name: { kind: "string", help: "Name of the workload; needed with a node and a WORKLOAD_ID" },
    issuer: { kind: "file", help: "File with the seed of the issuer key that deployed it" },
    all: { kind: "boolean", help: "Stop every workload that is meant" },
    json: jsonFlag,
  },
  examples: [
    "stop echojs",
    "stop echojs --all",
    "stop NBXHUHG5 cpv0k3752omq9k2v7g10 --name=echojs --issuer=$HOME/.nex/issuer.nk",
  ],
  json: `{"node_id": "N…", "workload_id": "…", "name": "echojs", "stopped": true}; with --all a list of these, in which a
  workload that could not be stopped has "stopped": false and "error": "…"`,
  run: async (context) => {
    const { flags, output } = context;
    const { id, workload_id: workloadId } = context.arguments;
    const { name, all } = flags;
    if (workloadId !== undefined && name === undefined) throw usageError("required flag --name not provided");
    if (workloadId !== undefined && all) throw usageError("flag '--all' takes no WORKLOAD_ID");
    const signer = await readStopSigner(flags.issuer, context.environment);
    const limitMs = context.sources["timeout"] === "default" ? STOP_MS : timeoutMs(context.global);
    await withControlClient(context, async (client) => {
      const targets =
        workloadId !== undefined && name !== undefined
          ? [{ nodeId: await resolveNodeId(client, id), id: workloadId, name }]
          : await findTargets(client, id, { name, all });
      const results = await Promise.all(
        targets.map((target) => attempt(client, target, { signer, timeoutMs: limitMs })),
      );
      const [first] = results;
      if (!all && first?.error !== undefined) throw first.error;
      if (flags.json) output.json(all ? results.map(resultRecord) : first && resultRecord(first));
      else {
        for (const result of results) {
          if (result.error === undefined) output.line(`✅ Workload '${result.name}' stopped.`);
        }
      }
      throwFailures(results);
    });
  },
});

type Target = Pick<RunningWorkload, "id" | "name" | "nodeId">;

interface StopResult extends Target {
  /** Undefined when it was stopped. */
  readonly error: NexError | undefined;
}

async function attempt(
  client: ControlClient,
  target: Target,
  options: Parameters<typeof stopOne>[2],
): Promise<StopResult> {
  try {
    const { id, name } = await stopOne(client, target, options);
    return { id, name, nodeId: target.nodeId, error: undefined };
  } catch (error) {
    if (error instanceof NexError) return { ...target, error };
    throw error;
  }
}

function resultRecord({ id, name, nodeId, error }: StopResult): Readonly<Record<string, string | boolean>> {
  const record = { node_id: nodeId, workload_id: id, name, stopped: error === undefined };
  return error === undefined ? record : { ...record, error: errorText(error) };
}

/** The failures of `--all` together: one text, a line for each. */
function throwFailures(results: readonly StopResult[]): void {
  const failed = results.filter(({ error }) => error !== undefined);
  const [first] = failed;
  if (first === undefined) return;
  const lines = failed.map(({ id, error }) => `${errorText(error)} (${id})`);
  throw new Refusal(lines.join("\n"), first.error);
}
