/**
 * A test host with a NATS server on all of its addresses, on which `nex` runs nodes with virtual machines:
 *
 *     nex node up ── virtual machine 192.168.127.x ══ 192.168.127.1:PORT nats-server ── nex devrun, req, events
 */
import { chmod, copyFile, mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "../../src/lib/find-program.ts";
import { startProcess } from "../../src/lib/managed-process.ts";
import { extractVmlinux } from "../../src/sandbox/kernel/describe-kernel.ts";
import { defaultConflist } from "../../src/sandbox/network/conflist.ts";
import { probeAccelerator } from "../../src/sandbox/qemu/probe-accelerator.ts";
import { takeCensus } from "./census.ts";
import type { Census } from "./census.ts";
import { runNex, startNex } from "./run-nex.ts";
import type { NexResult, RunNexOptions, RunningNex } from "./run-nex.ts";
import { testNatsServer } from "./start-nats.ts";
import { noTestHost, startTestHost } from "./test-host.ts";
import type { TestHost } from "./test-host.ts";
import { until } from "./until.ts";
import { vmAssets } from "./vm-assets.ts";
import type { VmAssets } from "./vm-assets.ts";

export const GATEWAY = "192.168.127.1";
export const NATS_PORT = 4222;
/** The server answers HTTP requests there. */
export const MONITOR_PORT = 8222;
/** As long as a boot under software emulation may take on a busy machine. */
export const BOOT_MS = 150_000;

/** What nodes keep in their state directory from one start to the next. */
const KEPT: ReadonlySet<string> = new Set([
  "accelerator.json",
  "firecracker.json",
  "network",
  "network/lock",
]);

export type MachineDriver = "qemu" | "firecracker";

export interface MachineBench extends AsyncDisposable {
  readonly host: TestHost;
  /** `default_resource_dir` of the nodes: kernel, initrd and root file system. */
  readonly resources: string;
  /** Runs `nex` to its end on the test host, connected to its server. */
  nex(args: readonly string[], options?: RunNexOptions): Promise<NexResult>;
  /** The same for a `nex` that goes on. */
  startNex(args: readonly string[], options?: RunNexOptions): Promise<RunningNex>;
  /** Writes a configuration in the manner of the guide's `simple.json`, and returns its path. */
  configure(more?: object): Promise<string>;
  /** `nex node up`; resolves at once. */
  nodeUp(config: string): Promise<RunningNex>;
  /** The virtual machine monitors that run, with the names of their machines. */
  machines(): Promise<readonly { readonly pid: number; readonly name: string }[]>;
  /** What there is on the test host. */
  census(): Promise<Census>;
}

/** What machines of the driver are made of, or why they cannot run here. */
export async function machineAssets(driver: MachineDriver): Promise<VmAssets> {
  const host = await noTestHost();
  if (host !== false) return { kind: "missing", reason: host };
  if (driver === "qemu") return vmAssets();
  const program = await findProgram("firecracker", { path: process.env["PATH"] ?? "" });
  if (program === undefined) return { kind: "missing", reason: "firecracker is not installed" };
  const assets = await vmAssets();
  if (assets.kind === "missing") return assets;
  const { qemu, kernel: path, initrd, rootfs } = assets;
  const images = { kernel: { path, initrd }, rootfs };
  const { accelerator, reason } = await probeAccelerator({ program: qemu, images, machine: "q35" });
  return accelerator === "kvm" ? assets : { kind: "missing", reason };
}

export async function startMachineBench(driver: MachineDriver): Promise<MachineBench> {
  const assets = await machineAssets(driver);
  if (assets.kind === "missing") throw new Error(assets.reason);
  await using stack = new AsyncDisposableStack();
  const host = stack.use(await startTestHost());
  const resources = join(host.directory, "wd");
  const temporary = join(host.directory, "tmp");
  const state = join(host.directory, "state");
  const home = join(host.directory, "home");
  const lists = join(host.directory, "cni");
  for (const directory of [resources, temporary, state, home, lists]) await mkdir(directory);
  const list = defaultConflist({ networkName: "fcnet", subnet: "192.168.127.0/24", gateway: GATEWAY });
  await writeFile(join(lists, "fcnet.conflist"), JSON.stringify(list));
  // Whoever runs Firecracker's jailer or a confined agent passes through it.
  await chmod(host.directory, 0o711);
  await chmod(temporary, 0o1777);
  const kernel = join(resources, "vmlinux");
  if (driver === "firecracker") await extractVmlinux(assets.kernel, kernel);
  else await copyFile(assets.kernel, kernel);
  await symlink(assets.initrd, join(resources, "initrd"));
  await symlink(assets.rootfs, join(resources, "rootfs.ext4"));
  stack.use(await startServer(host));
  const server = `nats://127.0.0.1:${NATS_PORT}`;
  const run = {
    prefix: host.prefix,
    env: { TMPDIR: temporary, HOME: home, NEX_NATS_SERVER: await testNatsServer() },
  };
  const launch = (args: readonly string[], options: RunNexOptions = {}): Promise<RunningNex> =>
    startNex(["-s", server, ...args], { ...run, ...options });
  const resourcesOfBench = stack.move();
  let configurations = 0;
  return {
    host,
    resources,
    nex: (args, options) => runNex(["-s", server, ...args], { timeoutMs: BOOT_MS, ...run, ...options }),
    startNex: launch,
    configure: async (more = {}) => {
      const path = join(host.directory, `simple-${++configurations}.json`);
      await writeFile(path, JSON.stringify({ ...simple(host.directory, driver), ...more }));
      return path;
    },
    nodeUp: (config) => launch(["node", "up", `--config=${config}`]),
    machines: async () => listMachines(host.directory),
    census: async () => {
      const { prefix, directory: processWord } = host;
      const census = await takeCensus({ prefix, directories: [temporary, state], processWord });
      return { ...census, files: census.files.filter((name) => !KEPT.has(name)) };
    },
    [Symbol.asyncDispose]: () => resourcesOfBench.disposeAsync(),
  };
}

/** Resolves once the node has warmed up that many machines since its start. */
export async function warmed(node: RunningNex, count: number): Promise<void> {
  const line = "Adding new VM to warm pool";
  const reached = (): boolean => node.stderr().split(line).length > count;
  await until(reached, {
    timeoutMs: BOOT_MS,
    message: `no machine number ${count} is warm:\n${node.stderr()}`,
  });
}

async function listMachines(directory: string): Promise<{ pid: number; name: string }[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const argv = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    const isMonitor =
      /\/(qemu-system-\w+|firecracker)$/.test(argv[0] ?? "") && argv.join(" ").includes(directory);
    return isMonitor ? [{ pid: Number(pid), name: argv[argv.indexOf("-name") + 1] ?? "" }] : [];
  });
  return (await Promise.all(found)).flat();
}

/** The guide's configuration, with paths of the test host. */
function simple(directory: string, sandbox: MachineDriver): object {
  return {
    default_resource_dir: join(directory, "wd"),
    machine_pool_size: 1,
    cni: { network_name: "fcnet", interface_name: "veth0", conf_path: join(directory, "cni") },
    machine_template: { vcpu_count: 1, memsize_mib: 256 },
    tags: { simple: "true" },
    sandbox,
    // Whatever else the machine does: only an agent that ends is lost.
    agent_handshake_timeout_ms: BOOT_MS,
    agent_ping_timeout_ms: BOOT_MS,
    state_dir: join(directory, "state"),
    pid_filepath: join(directory, "nex.pid"),
  };
}

async function startServer(host: TestHost): Promise<AsyncDisposable> {
  const store = join(host.directory, "jetstream");
  const flags = ["--addr", "0.0.0.0", "--port", String(NATS_PORT), "--http_port", String(MONITOR_PORT)];
  const stores = ["--jetstream", "--store_dir", store];
  const [program = "", ...argv] = [...host.prefix, await testNatsServer(), ...flags, ...stores];
  const environment = { PATH: "/usr/bin:/bin" };
  const server = await startProcess({ program, argv, environment, stdio: ["ignore", "ignore", "ignore"] });
  await until(() => host.run(`ss -Hlnt | grep -q :${NATS_PORT}`).then(() => true));
  return {
    [Symbol.asyncDispose]: async () => {
      await server.stop();
    },
  };
}
