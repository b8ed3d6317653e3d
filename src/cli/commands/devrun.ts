import type { NatsConnection } from "@nats-io/transport-node";
import { jetStreamDomain, timeoutMs, withConnection } from "../connection.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { developerDirectory } from "../developer-directory.ts";
import { deployFile, inspectOrder } from "../devrun/deploy-file.ts";
import type { DeployedFile, DeployStep } from "../devrun/deploy-file.ts";
import { parseArgv, parseEnvironmentArguments } from "../devrun/environment-arguments.ts";
import { acceptedLine, stepLines } from "../devrun/step-text.ts";
import { WORKLOAD_TYPES } from "../devrun/workload-file.ts";
import { startProgressLine } from "../output/progress-line.ts";

/** Time to remove a half uploaded file after Ctrl-C. */
const CLEAN_UP_MS = 2000;

/** `nex devrun`: deploys a file with keys, bucket and node found by itself. */
export const devrun = defineCommand({
  description:
    "Deploys a file for development: uploads it, finds a node, stops an older copy of the same name there and starts the new one. Signs with keys in ~/.nex, made on first use. The workload is called as the file, without dots.",
  arguments: {
    file: { help: "JavaScript (.js), WebAssembly (.wasm) or an executable" },
    env: { help: "Environment of the workload, each KEY=VALUE", required: false, repeated: true },
  },
  flags: {
    trigger_subject: {
      kind: "strings",
      placeholder: "SUBJECT",
      help: "Subject that triggers the function (repeatable)",
    },
    type: {
      kind: "string",
      choices: WORKLOAD_TYPES,
      help: "Type of the workload; by default told by the file",
    },
    argv: { kind: "string", help: "Arguments of the workload, separated by spaces" },
    essential: { kind: "boolean", negatable: true, help: "Start the workload again when it fails" },
    stop: {
      kind: "boolean",
      negatable: true,
      default: true,
      help: "Stop a workload of the same name on the node first",
    },
    bucketmaxbytes: {
      kind: "integer",
      min: 1,
      placeholder: "BYTES",
      help: "Size of the upload bucket, when it is made (default 104857600)",
    },
    json: jsonFlag,
  },
  examples: [
    "devrun ./echo.js --trigger_subject=js.echo",
    "devrun ./echoservice NATS_URL=nats://127.0.0.1:4222",
  ],
  json: `{"node_id": "N…", "workload_id": "…", "name": "echojs", "namespace": "default", "type": "v8", "hash": "…",
  "stopped": ["id of an older copy", …]}`,
  run: async (context) => {
    const { flags, global, sources, output, signal } = context;
    const environment = parseEnvironmentArguments(context.arguments.env);
    const { file: path } = context.arguments;
    await inspectOrder({ path, type: flags.type, triggerSubjects: flags.trigger_subject });
    const domain = await jetStreamDomain(context);
    const say = flags.json ? output.note : output.line;
    using progress = startProgressLine(output.stderr, `Uploading ${path}`);
    const onStep = (step: DeployStep): void => {
      if (step.kind === "uploading") progress.show(step.sentBytes, step.totalBytes);
      else if (step.kind === "uploaded") progress[Symbol.dispose]();
      if (step.kind === "inspected" && step.file.platformUnknown !== undefined) {
        context.logger.warn("Deploying an executable of unknown platform", {
          reason: step.file.platformUnknown,
        });
      }
      stepLines(step).forEach(say);
    };
    const deploy = (connection: NatsConnection): Promise<DeployedFile> =>
      deployFile({
        connection,
        path,
        keyDirectory: developerDirectory(context.environment),
        namespace: global.namespace,
        type: flags.type,
        environment,
        argv: parseArgv(flags.argv),
        essential: flags.essential,
        triggerSubjects: flags.trigger_subject,
        stopExisting: flags.stop,
        bucketMaxBytes: flags.bucketmaxbytes,
        jetStreamDomain: domain,
        ...(sources["timeout"] === "default" ? {} : { auctionMs: timeoutMs(global) }),
        timeoutMs: timeoutMs(global),
        onStep,
        signal,
      });
    const deployed = await withConnection(context, deploy, { graceMs: CLEAN_UP_MS });
    if (!flags.json) output.line(acceptedLine(deployed));
    else {
      const { nodeId: node_id, workloadId: workload_id, name, type, hash, stopped } = deployed;
      output.json({ node_id, workload_id, name, namespace: global.namespace, type, hash, stopped });
    }
  },
});
