import type { ControlClient, WorkloadLog } from "../../control-api/index.ts";
import type { LogLevel } from "../../lib/logger.ts";
import { usageError } from "../arguments/usage-error.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { wantsColor } from "../command-logger.ts";
import { follow, namespaceFilter } from "../follow/follow.ts";
import { logLines, shownLevel } from "../follow/log-text.ts";
import { createLogSink } from "../output/log-sink.ts";
import { resolveNodeId } from "../resolve-node.ts";

const EVERY = "*";
const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** `nex logs`: what workloads write, as they write it. */
export const logs = defineCommand({
  description:
    "Prints what the workloads of the namespace write, as they write it, until Ctrl-C. Log entries are not kept: what was written before is gone. --namespace=* takes every namespace.",
  arguments: { workload: { help: "Name or id of a workload; by default all", required: false } },
  flags: {
    node: {
      kind: "string",
      default: EVERY,
      help: "Only this node: its id, the beginning of it, or its name",
    },
    workload_name: {
      kind: "string",
      default: EVERY,
      placeholder: "NAME",
      help: "Only workloads of this name",
    },
    workload_id: { kind: "string", default: EVERY, placeholder: "ID", help: "Only the workload of this id" },
    level: {
      kind: "string",
      default: "debug",
      choices: ["debug", "info", "warn", "error"],
      placeholder: "LEVEL",
      help: "Least severe level to print",
    },
    full: { kind: "boolean", help: "Also print namespace, node and id of the workload" },
    count: { kind: "integer", min: 1, placeholder: "N", help: "End after that many entries" },
    json: jsonFlag,
  },
  examples: ["logs", "logs echojs --level=info", "logs --node=quiet-otter --json"],
  json: `{"time": "2024-07-03T09:46:40.123Z" (of arrival), "namespace": "default", "node_id": "N…", "workload_name": "echojs",
  "workload_id": "…", "level": "INFO", "text": "…"}; one line per entry`,
  run: async (context) => {
    const { flags, global, output } = context;
    if (context.arguments.workload !== undefined && flags.workload_name !== EVERY) {
      throw usageError("the argument and flag '--workload_name' exclude each other");
    }
    const fits = workloadFilter(context.arguments.workload, flags);
    const print = createLogSink(
      { level: "debug", json: false, color: wantsColor(context), timeFormat: global.timeformat },
      output.line,
    );
    const show = (entry: WorkloadLog): boolean => {
      const { workloadName: name, workloadId: id, nodeId: node, namespace, text } = entry;
      const level = shownLevel(entry.levelValue);
      if (!fits(entry) || SEVERITY[level] < SEVERITY[flags.level]) return false;
      const time = new Date();
      if (flags.json) output.jsonLine(logRecord(entry, time));
      else {
        const fields = flags.full ? { namespace, node, vmid: id } : {};
        for (const line of logLines(text)) print({ time, level, message: `${name} | ${line}`, fields });
      }
      return true;
    };
    const namespace = namespaceFilter(global.namespace);
    await follow(context, {
      title: `Logs of ${context.arguments.workload ?? "all workloads"} in ${namespace === undefined ? "every namespace" : `namespace "${namespace}"`}, Ctrl-C ends`,
      count: flags.count,
      show,
      start: async (client, signal) => {
        const nodeId = await nodeFilter(client, flags.node);
        return [
          await client.watchLogs({
            signal,
            ...(namespace === undefined ? {} : { namespace }),
            ...(nodeId === undefined ? {} : { nodeId }),
          }),
        ];
      },
    });
  },
});

type Filter = (entry: Pick<WorkloadLog, "workloadName" | "workloadId">) => boolean;

function workloadFilter(
  nameOrId: string | undefined,
  flags: { readonly workload_name: string; readonly workload_id: string },
): Filter {
  const is = (wanted: string, text: string): boolean => wanted === EVERY || wanted === text;
  return ({ workloadName: name, workloadId: id }) =>
    (nameOrId === undefined || is(nameOrId, name) || nameOrId === id) &&
    is(flags.workload_name, name) &&
    is(flags.workload_id, id);
}

async function nodeFilter(client: ControlClient, text: string): Promise<string | undefined> {
  return text === EVERY ? undefined : resolveNodeId(client, text);
}

function logRecord(entry: WorkloadLog, time: Date): Readonly<Record<string, string>> {
  return {
    time: time.toISOString(),
    namespace: entry.namespace,
    node_id: entry.nodeId,
    workload_name: entry.workloadName,
    workload_id: entry.workloadId,
    level: entry.level,
    text: entry.text,
  };
}
