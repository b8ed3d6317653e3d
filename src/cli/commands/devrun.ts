import type { NatsConnection } from "@nats-io/transport-node";
import { buildFunction } from "../build/build-function.ts";
import { jetStreamDomain, timeoutMs, withConnection } from "../connection.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { developerDirectory } from "../developer-directory.ts";
import { deployFile, inspectOrder } from "../devrun/deploy-file.ts";
import type { DeployedFile, DeployStep } from "../devrun/deploy-file.ts";
import { parseArgv, parseEnvironmentArguments } from "../devrun/environment-arguments.ts";
import type { Replacement } from "../devrun/deploy-on-save.ts";
import { functionFlags, functionOptions } from "../devrun/function-options.ts";
import { acceptedLines } from "../devrun/step-text.ts";
import { startStepTeller } from "../devrun/step-teller.ts";
import { deployedRecord, watchFile } from "../devrun/watch-file.ts";
import { WORKLOAD_TYPES } from "../devrun/workload-file.ts";
import { usageError } from "../arguments/usage-error.ts";

/** Time to remove a half uploaded file after Ctrl-C. */
const CLEAN_UP_MS = 2000;

/** `nex devrun`: deploys a file with keys, bucket and node found by itself. */
export const devrun = defineCommand({
  description:
    "Deploys a file for development: uploads it, finds a node, stops an older copy of the same name there and starts the new one. Signs with keys in ~/.nex, made on first use. The workload is called as the file, without dots. TypeScript and modules are bundled, with all they import. With --watch it deploys again at every save; functions are replaced without a gap.",
  arguments: {
    file: {
      help: "TypeScript (.ts, .mts), JavaScript (.js, .mjs), WebAssembly (.wasm) or an executable",
      completes: "file",
    },
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
    ...functionFlags,
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
    watch: { kind: "boolean", help: "Deploy again whenever the file is saved, until Ctrl-C" },
    json: jsonFlag,
  },
  examples: [
    "devrun ./echo.js --trigger_subject=js.echo",
    "devrun ./hello.ts --trigger_subject=hello --watch",
    "devrun ./echoservice NATS_URL=nats://127.0.0.1:4222",
  ],
  json: `{"node_id": "N…", "workload_id": "…", "name": "echojs", "namespace": "default", "type": "v8", "hash": "…",
  "isolation": "child process (…)" or null, "stopped": ["id of an older copy", …]}; with --watch one line per deploy`,
  run: async (context) => {
    const { flags, global, sources, output, signal } = context;
    if (flags.watch && !flags.stop) throw usageError("flags '--watch' and '--no-stop' exclude each other");
    const environment = parseEnvironmentArguments(context.arguments.env);
    const { file: path } = context.arguments;
    const options = functionOptions(flags);
    const triggerSubjects = flags.trigger_subject;
    const { type } = await inspectOrder({ path, type: flags.type, triggerSubjects, options });
    // What is wrong with the source is said before any connection, except where the source will change.
    const built = type === "v8" && !flags.watch ? await buildFunction({ path }) : undefined;
    const domain = await jetStreamDomain(context);
    const deploy = async (
      connection: NatsConnection,
      onStep: (step: DeployStep) => void,
      replacement?: Replacement,
    ): Promise<DeployedFile> =>
      deployFile({
        connection,
        path,
        keyDirectory: developerDirectory(context.environment),
        namespace: global.namespace,
        type: flags.type,
        built,
        environment,
        argv: parseArgv(flags.argv),
        essential: flags.essential,
        triggerSubjects,
        options,
        stopExisting: flags.stop,
        bucketMaxBytes: flags.bucketmaxbytes,
        jetStreamDomain: domain,
        ...(sources["timeout"] === "default"
          ? {}
          : { auctionMs: timeoutMs(global), deployMs: timeoutMs(global) }),
        timeoutMs: timeoutMs(global),
        onStep,
        signal,
        startFirst: replacement?.startFirst ?? false,
        ...(replacement?.nodeId === undefined ? {} : { nodeId: replacement.nodeId }),
      });
    if (flags.watch) {
      await watchFile(context, { path, sharesTriggers: type !== "native", deploy });
      return;
    }
    using teller = startStepTeller(context, path);
    const deployed = await withConnection(context, async (connection) => deploy(connection, teller.onStep), {
      graceMs: CLEAN_UP_MS,
    });
    if (flags.json) output.json(deployedRecord(deployed, global.namespace));
    else acceptedLines(deployed).forEach(output.line);
    await deployed.typesTold;
  },
});
