import { SYSTEM_NAMESPACE } from "../../control-api/index.ts";
import type { CloudEvent, WatchedEvent } from "../../control-api/index.ts";
import { NexError } from "../../lib/errors.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { wantsColor } from "../command-logger.ts";
import { eventFields } from "../follow/event-fields.ts";
import { follow, namespaceFilter } from "../follow/follow.ts";
import { createLogSink } from "../output/log-sink.ts";

/** `nex events`: what happens to workloads and nodes, as it happens. */
export const events = defineCommand({
  description:
    "Prints the events of the namespace and those of the nodes, as they happen, until Ctrl-C. Events are not kept. --namespace=* takes every namespace.",
  flags: {
    count: { kind: "integer", min: 1, placeholder: "N", help: "End after that many events" },
    json: jsonFlag,
  },
  examples: ["events", "events --namespace=shop --json"],
  json: `{"namespace": "default", "type": "workload_deployed", "source": "N…-…", "time": "2024-07-03T09:46:40.123Z",
  "id": "…", "data": {…}}; one line per event`,
  run: async (context) => {
    const { flags, global, output } = context;
    const namespace = namespaceFilter(global.namespace);
    if (global.namespace.includes(SYSTEM_NAMESPACE)) throw systemRefused();
    const print = createLogSink(
      { level: "debug", json: false, color: wantsColor(context), timeFormat: global.timeformat },
      output.line,
    );
    const show = (watched: WatchedEvent): boolean => {
      if (flags.json) output.jsonLine(eventRecord(watched));
      else {
        const time = timeOf(watched.event);
        print({ time, level: "info", message: "Received", fields: eventFields(watched) });
      }
      return true;
    };
    await follow(context, {
      title: `Events of ${namespace === undefined ? "every namespace" : `namespace "${namespace}"`} and of the nodes, Ctrl-C ends`,
      count: flags.count,
      show,
      start: async (client, signal) =>
        namespace === undefined
          ? [await client.watchEvents({ signal })]
          : [
              await client.watchEvents({ namespace, signal }),
              await client.watchEvents({ namespace: SYSTEM_NAMESPACE, signal }),
            ],
    });
  },
});

function systemRefused(): NexError {
  return new NexError({
    code: "NAMESPACE_INVALID",
    message: "namespace filter cannot contain the token 'system', as that is automatically subscribed",
    hint: "Leave --namespace out, or name another one; events of the nodes are always shown",
  });
}

function eventRecord({ namespace, event }: WatchedEvent): object {
  const { type, source, time, id, data } = event;
  return { namespace, type, source, time, id, data };
}

/** When it happened; now for an event that does not say. */
function timeOf({ time }: CloudEvent): Date {
  const parsed = new Date(time);
  return Number.isNaN(parsed.getTime()) ? new Date() : parsed;
}
