import { parseLocation } from "../../control-api/index.ts";
import type { ControlClient, DeployOrder, DeployReply } from "../../control-api/index.ts";
import { usageError } from "../arguments/usage-error.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { jetStreamDomain, timeoutMs, withControlClient } from "../connection.ts";
import { parseConnectionCredentials } from "../connection-credentials.ts";
import { checkTriggers, DEPLOY_MS, DEPLOY_REJECTED, deployRefused, fetchMs } from "../devrun/deploy-file.ts";
import { parseArgv, parseEnvironmentArguments } from "../devrun/environment-arguments.ts";
import { checkFunctionOptions, functionFlags, functionOptions } from "../devrun/function-options.ts";
import { acceptedLines } from "../devrun/step-text.ts";
import { WORKLOAD_TYPES } from "../devrun/workload-file.ts";
import { readIssuerFile, readXkeyFile } from "../key-file.ts";
import { Refusal } from "../refusal.ts";
import { asRefusal } from "../refusal-reason.ts";
import { resolveNodeId } from "../resolve-node.ts";
import { findStoredArtifact } from "../stored-artifact.ts";

/** What peers send for an artifact whose hash they do not know (protocol section 1.5). */
const UNKNOWN_HASH = "abc12345TODOmakethisreal";

/** `nex run`: deploys what lies in an object store. */
export const run = defineCommand({
  description:
    "Deploys a workload from an object store to a node, signed by an issuer key and with its environment sealed by a publisher xkey.",
  arguments: {
    url: { help: "Where the artifact is: nats://BUCKET/KEY" },
    id: { help: "Id of the node, the beginning of one, or a node's name" },
    env: { help: "Environment of the workload, each KEY=VALUE", required: false, repeated: true },
  },
  flags: {
    name: { kind: "string", required: true, help: "Name of the workload: letters, digits, _ and -" },
    issuer: { kind: "file", required: true, help: "File with the seed of the issuer key (SA…)" },
    xkey: { kind: "file", required: true, help: "File with the seed of the publisher xkey (SX…)" },
    type: { kind: "string", choices: WORKLOAD_TYPES, default: "native", help: "Type of the workload" },
    description: { kind: "string", help: "Description of the workload" },
    argv: { kind: "string", help: "Arguments of the workload, separated by spaces" },
    ...functionFlags,
    essential: { kind: "boolean", negatable: true, help: "Start the workload again when it fails" },
    trigger_subject: {
      kind: "strings",
      placeholder: "SUBJECT",
      help: "Subject that triggers the function (repeatable)",
    },
    hs_url: {
      kind: "string",
      placeholder: "URL",
      help: "NATS servers of the workload's host services, with --hs_jwt and --hs_seed",
    },
    hs_jwt: { kind: "string", placeholder: "JWT", help: "User JWT of the host services' connection" },
    hs_seed: { kind: "string", placeholder: "SEED", help: "User seed of the host services' connection" },
    trigger_url: {
      kind: "string",
      placeholder: "URL",
      help: "NATS servers on which the triggers are subscribed, with --trigger_jwt and --trigger_seed",
    },
    trigger_jwt: { kind: "string", placeholder: "JWT", help: "User JWT of the triggers' connection" },
    trigger_seed: { kind: "string", placeholder: "SEED", help: "User seed of the triggers' connection" },
    json: jsonFlag,
  },
  examples: [
    "run nats://BUCKET/echoservice NBXHUHG5 --name=echoservice --issuer=issuer.nk --xkey=publisher.xk NATS_URL=nats://127.0.0.1:4222",
  ],
  json: `{"node_id": "N…", "workload_id": "…", "name": "echoservice", "namespace": "default",
  "type": "native", "hash": "…" or null when the store does not tell,
  "isolation": "child process (…)" or null}`,
  run: async (context) => {
    const { flags, global, output, sources } = context;
    const environment = parseEnvironmentArguments(context.arguments.env);
    checkTriggers(flags.type, flags.trigger_subject);
    const options = functionOptions(flags);
    checkFunctionOptions(flags.type, options);
    const argv = parseArgv(flags.argv);
    const domain = await jetStreamDomain(context);
    const { hs_url, hs_jwt, hs_seed, trigger_url, trigger_jwt, trigger_seed } = flags;
    const hostServices = parseConnectionCredentials({
      prefix: "hs",
      url: hs_url,
      jwt: hs_jwt,
      seed: hs_seed,
    });
    const triggerConnection = parseConnectionCredentials({
      prefix: "trigger",
      url: trigger_url,
      jwt: trigger_jwt,
      seed: trigger_seed,
    });
    if (triggerConnection !== undefined && flags.type === "native") {
      throw usageError("a trigger connection is only for functions (--type=v8 or --type=wasm)");
    }
    const location = parseLocation(context.arguments.url);
    const order: Omit<DeployOrder, "nodeId"> = {
      workloadName: flags.name,
      workloadType: flags.type,
      location,
      issuer: await readIssuerFile(flags.issuer),
      publisher: await readXkeyFile(flags.xkey),
      environment,
      description: flags.description ?? "",
      essential: flags.essential,
      ...(domain === undefined ? {} : { jsDomain: domain }),
      ...(argv.length === 0 ? {} : { arguments: argv }),
      ...(flags.trigger_subject.length === 0 ? {} : { triggerSubjects: flags.trigger_subject }),
      ...options,
      ...(hostServices === undefined ? {} : { hostServices }),
      ...(triggerConnection === undefined ? {} : { triggerConnection }),
    };
    await withControlClient(context, async (client, connection) => {
      const nodeId = await resolveNodeId(client, context.arguments.id);
      const limitMs = timeoutMs(global);
      const stored = await findStoredArtifact(connection, {
        location,
        jetStreamDomain: domain,
        timeoutMs: limitMs,
      });
      const {
        id: workload_id,
        name,
        isolation,
      } = await deploy(client, {
        ...order,
        nodeId,
        hash: stored?.hash ?? UNKNOWN_HASH,
        timeoutMs: (sources["timeout"] === "default" ? DEPLOY_MS : limitMs) + fetchMs(stored?.bytes ?? 0),
      });
      if (!flags.json)
        acceptedLines({ name, workloadId: workload_id, nodeId, isolation }).forEach(output.line);
      else {
        const { namespace } = global;
        output.json({
          node_id: nodeId,
          workload_id,
          name,
          namespace,
          type: flags.type,
          hash: stored?.hash ?? null,
          isolation: isolation ?? null,
        });
      }
    });
  },
});

async function deploy(client: ControlClient, order: DeployOrder): Promise<DeployReply> {
  try {
    const reply = await client.deploy(order);
    if (reply.started) return reply;
  } catch (error) {
    throw asRefusal(error, deployRefused);
  }
  throw new Refusal(DEPLOY_REJECTED);
}
