// The main job: an embedded NATS server, a node, and the example workloads, deployed as `nex devrun` does and called.
// Stays up until Ctrl-C; with --once it ends by itself, with exit code 0 only if all three answered.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { arch, homedir, platform, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify, parseArgs } from "node:util";
import type { NatsConnection } from "@nats-io/transport-node";
import { readBuildInformation } from "../src/cli/build-information.ts";
import { acceptedLines, stepLines } from "../src/cli/devrun/step-text.ts";
import { deployFile } from "../src/cli/devrun/deploy-file.ts";
import { createLogSink } from "../src/cli/output/log-sink.ts";
import { NexError, errorText } from "../src/lib/errors.ts";
import { createLogger } from "../src/lib/logger.ts";
import { connectToNats } from "../src/nats/connect.ts";
import { findNatsServer } from "../src/nats/server-binary.ts";
import { startNatsServer } from "../src/nats/server.ts";
import type { NatsServer } from "../src/nats/server.ts";
import { loadConfiguration } from "../src/node/configuration.ts";
import { startNode } from "../src/node/start-node.ts";
import type { NodeHandle } from "../src/node/start-node.ts";

/** A workload of the main job, and the request that shows it works. */
interface Demonstration {
  readonly file: string;
  readonly triggerSubjects: readonly string[];
  readonly subject: string;
  readonly request: string;
  readonly expected: string;
}

const root = join(import.meta.dirname, "..");
const machine = `${platform()}-${arch()}`;
const demonstrations: readonly Demonstration[] = [
  {
    file: "examples/js/echofunction/echo.js",
    triggerSubjects: ["js.echo"],
    subject: "js.echo",
    request: "heya",
    expected: "heya",
  },
  {
    file: "examples/wasm/echofunction/echofunction.wasm",
    triggerSubjects: ["wasm.echo"],
    subject: "wasm.echo",
    request: "hello",
    expected: "hellowasm.echo",
  },
  {
    file: `examples/services/echoservice/bin/${machine}/echoservice`,
    triggerSubjects: [],
    subject: "svc.echo",
    request: "hey",
    expected: "hey",
  },
];

const { values } = parseArgs({ options: { once: { type: "boolean", default: false } } });
const interruption = interruptSignal();
try {
  process.exitCode = await run(values.once);
} catch (error) {
  if (interruption.signal.aborted) {
    console.error("Interrupted");
    process.exitCode = 130;
  } else {
    console.error(`✘ ${errorText(error)}`);
    if (error instanceof NexError && error.hint !== undefined) console.error(`  ${error.hint}`);
    process.exitCode = 1;
  }
} finally {
  interruption.release();
}

async function run(once: boolean): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(
    await step(
      "NATS server",
      startServer,
      (started) => `${started.url} (nats-server ${started.version}, JetStream)`,
    ),
  );
  const directory = await mkdtemp(join(tmpdir(), "nex-start-"));
  stack.defer(async () => rm(directory, { recursive: true, force: true }));
  const node = stack.use(
    await step(
      "node",
      async () => bringUpNode(server, directory),
      ({ nodeId }) => nodeId,
    ),
  );
  const connection = await connectToNats(
    { servers: server.url, name: "nex-start" },
    { environment: process.env },
  );
  stack.defer(async () => connection.close());

  for (const demonstration of demonstrations) await deploy(connection, server, node, demonstration);
  console.log();
  let answered = true;
  for (const demonstration of demonstrations) answered = (await call(connection, demonstration)) && answered;
  console.log();
  console.log(await nex(server, "node", "info", node.nodeId));
  if (!once) {
    console.log(nextSteps(server, node));
    await Promise.race([interrupted(), node.closed, server.exit]);
    console.log(interruption.signal.aborted ? "\nStopping" : "\nThe server or the node ended by itself");
    return interruption.signal.aborted ? 0 : 1;
  }
  if (!answered) console.error("✘ Not every workload answered as expected");
  return answered ? 0 : 1;
}

async function startServer(): Promise<NatsServer> {
  const { path } = await findNatsServer({
    setting: process.env["NEX_NATS_SERVER"],
    searchPath: (process.env["PATH"] ?? "").split(delimiter),
    cacheDir: join(root, ".cache", "nats-server"),
    environment: process.env,
  });
  const spec = { binary: path, storeDirectory: "temporary", signal: interruption.signal };
  try {
    return await startNatsServer({ ...spec, port: 4222 });
  } catch (error) {
    if (!(error instanceof NexError) || error.code !== "NATS_PORT_TAKEN") throw error;
    console.log("  port 4222 is taken by another program: using a free port instead");
    return startNatsServer(spec);
  }
}

async function bringUpNode(server: NatsServer, directory: string): Promise<NodeHandle> {
  const sink = createLogSink({ level: "warn", json: false, color: false, timeFormat: "DateTime" }, (line) =>
    console.error(line),
  );
  return startNode({
    configuration: await loadConfiguration(undefined, {
      no_sandbox: true,
      pid_filepath: join(directory, "node.pid"),
      machine_pool_size: 2,
    }),
    connection: { servers: server.url, name: "nex" },
    environment: process.env,
    logger: createLogger(sink),
    version: readBuildInformation().version,
    signal: interruption.signal,
  });
}

async function deploy(
  connection: NatsConnection,
  server: NatsServer,
  node: NodeHandle,
  { file, triggerSubjects }: Demonstration,
): Promise<void> {
  const flags = triggerSubjects.map((subject) => ` --trigger_subject=${subject}`).join("");
  const variables = triggerSubjects.length === 0 ? { NATS_URL: server.url } : {};
  const argument = Object.entries(variables).map(([key, value]) => ` ${key}=${value}`);
  console.log(`\n$ nex devrun ${file}${argument.join("")}${flags}`);
  const deployed = await deployFile({
    connection,
    path: join(root, file),
    keyDirectory: join(homedir(), ".nex"),
    nodeId: node.nodeId,
    environment: variables,
    triggerSubjects,
    signal: interruption.signal,
    onStep: (done) => {
      for (const line of stepLines(done)) console.log(line);
    },
  });
  console.log(acceptedLines(deployed).join("\n"));
}

/** A service needs a moment to subscribe, so a request that nobody answers yet is sent again for two seconds. */
async function call(
  connection: NatsConnection,
  { subject, request, expected }: Demonstration,
): Promise<boolean> {
  const deadline = Date.now() + 2000;
  for (;;) {
    const start = performance.now();
    try {
      const reply = (await connection.request(subject, request, { timeout: 2000 })).string();
      const tookMs = (performance.now() - start).toFixed(2);
      const asExpected = reply === expected;
      console.log(
        `${asExpected ? "✔" : "✘"} ${subject.padEnd(10)} ${JSON.stringify(request)} → ${JSON.stringify(reply)} in ${tookMs} ms`,
      );
      return asExpected;
    } catch (error) {
      interruption.signal.throwIfAborted();
      if (Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      console.log(`✘ ${subject.padEnd(10)} ${JSON.stringify(request)}: ${errorText(error)}`);
      return false;
    }
  }
}

async function nex(server: NatsServer, ...argv: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(join(root, "bin", "nex"), ["-s", server.url, ...argv]);
  return stdout.trimEnd();
}

function nextSteps(server: NatsServer, node: NodeHandle): string {
  const flag = server.port === 4222 ? "" : ` -s ${server.url}`;
  return [
    "",
    "Running. Try in a second terminal:",
    `  npx nex${flag} req js.echo 'heya'`,
    `  npx nex${flag} req wasm.echo 'hello'`,
    `  npx nex${flag} req svc.echo 'hey'`,
    `  npx nex${flag} node ls`,
    `  npx nex${flag} node info ${node.nodeId}`,
    `  npx nex${flag} ps`,
    `  npx nex${flag} logs`,
    `  npx nex${flag} devrun examples/js/echofunction/echo.js --trigger_subject=my.echo`,
    "Ctrl-C stops everything.",
  ].join("\n");
}

async function step<T>(title: string, work: () => Promise<T>, describe: (result: T) => string): Promise<T> {
  const start = performance.now();
  const result = await work();
  console.log(`✔ ${title}: ${describe(result)} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  return result;
}

async function interrupted(): Promise<void> {
  const { signal } = interruption;
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** The first signal interrupts, a later one exits at once; a terminal and npm may both deliver the same Ctrl-C. */
function interruptSignal(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  let firstAt = 0;
  const onSignal = (): void => {
    if (controller.signal.aborted && performance.now() - firstAt > 500) process.exit(130);
    firstAt = controller.signal.aborted ? firstAt : performance.now();
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
