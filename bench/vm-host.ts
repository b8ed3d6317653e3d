// The part of `npm run bench:vm` that runs on the test host: boots machines one by one, then runs a node with virtual
// machines beside one without a sandbox, on one NATS server. Argument: `VmHostOptions` as JSON.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { createWorkloadId } from "../src/lib/ids.ts";
import { createLogger } from "../src/lib/logger.ts";
import { NexError } from "../src/lib/errors.ts";
import { createAgentStarter } from "../src/node/agent-starter.ts";
import { loadConfiguration } from "../src/node/configuration.ts";
import type { ConfigurationOverrides } from "../src/node/configuration.ts";
import { startMachineHost } from "../src/node/machine-host.ts";
import { startNats, testNatsServer } from "../test/support/start-nats.ts";
import { startTestNode } from "../test/support/start-test-node.ts";
import { memoryKiB, monitorOf, processorSeconds } from "./machine-process.ts";
import { measureWorkloads } from "./vm-workloads.ts";
import { line, progress, say } from "./vm-report.ts";

interface VmHostOptions {
  readonly kernel: string;
  readonly initrd: string;
  readonly rootfs: string;
  readonly runs: number;
  /** For the nodes' own files. */
  readonly directory: string;
}

interface Boot {
  readonly seconds: number;
  /** Of the monitor, in seconds. */
  readonly processor: number;
  /** In KiB. */
  readonly pss: number;
  readonly rss: number;
}

const DRIVERS = ["qemu", "firecracker"] as const;

const options = JSON.parse(process.argv[2] ?? "{}") as VmHostOptions;
const { runs } = options;

for (const driver of DRIVERS) {
  const configuration = await configurationFor(driver);
  try {
    await measureBoots(driver, configuration);
  } catch (error) {
    if (!(error instanceof NexError && error.code === "SANDBOX_UNAVAILABLE")) throw error;
    say(`${driver}: skipped`, error.message);
    continue;
  }
  await measureNodes(driver, configuration);
}

async function configurationFor(sandbox: (typeof DRIVERS)[number]): Promise<ConfigurationOverrides> {
  const directory = await mkdtemp(join(options.directory, `${sandbox}-`));
  return {
    sandbox,
    no_sandbox: false,
    kernel_filepath: options.kernel,
    initrd_filepath: options.initrd,
    rootfs_filepath: options.rootfs,
    bin_path: (process.env["PATH"] ?? "").split(":"),
    cni: { conf_path: directory },
    state_dir: directory,
  };
}

/** One machine after the other, with nothing beside it. */
async function measureBoots(driver: string, overrides: ConfigurationOverrides): Promise<void> {
  const configuration = await loadConfiguration(undefined, overrides);
  const logger = createLogger(({ level, message, fields }) => {
    if (level === "warn" || level === "error") progress(`${message} ${JSON.stringify(fields)}`);
  });
  const searchPath = process.env["PATH"] ?? "";
  const { signal } = new AbortController();
  const findNatsServer = testNatsServer;
  await using host = await startMachineHost({ configuration, searchPath, findNatsServer, logger, signal });
  say(`${driver}: isolation`, host.isolation);
  const startAgent = createAgentStarter({ host, configuration, logger });
  const results: Boot[] = [];
  for (let run = 0; run < runs; run += 1) {
    const id = createWorkloadId();
    const start = performance.now();
    const agent = await startAgent(id, { signal, onNotice: () => undefined });
    const seconds = (performance.now() - start) / 1000;
    const monitor = await monitorOf(id);
    results.push({ seconds, processor: await processorSeconds(monitor), ...(await memoryKiB(monitor)) });
    await agent.stop(0);
    progress(`${driver}: boot ${run + 1} of ${runs} done`);
  }
  const { machine_template: template } = configuration;
  const of = (name: keyof Boot, unit = 1): number[] => results.map((result) => result[name] / unit);
  line(`${driver}: start of a machine to handshake`, of("seconds"), "s", 2);
  line(`${driver}: processor time of that`, of("processor"), "s", 2);
  line(`${driver}: memory of a waiting ${template.memsize_mib} MiB machine, PSS`, of("pss", 1024), "MiB");
  line(`${driver}: memory of a waiting ${template.memsize_mib} MiB machine, RSS`, of("rss", 1024), "MiB");
}

async function measureNodes(driver: string, configuration: ConfigurationOverrides): Promise<void> {
  // Native workloads reach it at the machines' gateway.
  await using nats = await startNats({ host: "0.0.0.0" });
  await using none = await startTestNode({ nats });
  await using machines = await startTestNode({ nats, configuration });
  const echo = fork(join(import.meta.dirname, "raw-echo.ts"), [nats.url]);
  await once(echo, "message");
  try {
    await measureWorkloads({ nats, runs, name: driver, none, machines });
  } finally {
    echo.kill();
  }
}
