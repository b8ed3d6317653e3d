/**
 * A host to try networks on: a network and a mount namespace of its own, with tmpfs over /run and /var/lib. The
 * machine that the tests run on sees nothing of it, and all of it goes with its first process.
 *
 *     guest 192.168.127.2 ═ relay (QEMU) ═ tap0 ─ test host 203.0.113.1 ─── 203.0.113.2 outside
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findProgram } from "../../src/lib/find-program.ts";
import { startProcess } from "../../src/lib/managed-process.ts";
import type { ManagedProcess } from "../../src/lib/managed-process.ts";
import type { NetworkAttachment } from "../../src/sandbox/network/network.ts";

const execute = promisify(execFile);
const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** A namespace outside of the test host that it reaches, and its own address there. */
export const OUTSIDE = { namespace: "outside", address: "203.0.113.2", hostAddress: "203.0.113.1" };

export interface TestHost extends AsyncDisposable {
  /** Command line that runs what follows it on the test host. */
  readonly prefix: readonly string[];
  /** A directory that goes with the test host. */
  readonly directory: string;
  /** Runs a shell script and returns what it wrote. */
  run(script: string): Promise<string>;
  /** Starts a fixture in a namespace of the test host, by default its own. */
  startFixture(
    name: string,
    argv: readonly string[],
    options?: { readonly namespace?: string },
  ): Promise<FixtureProcess>;
  /** What runs in a namespace and sends from the attachment's address through its tap. */
  startGuest(attachment: AttachmentData): Promise<TestGuest>;
}

export type AttachmentData = Omit<NetworkAttachment, keyof AsyncDisposable>;

/** A fixture that talks in lines. */
export interface FixtureProcess extends AsyncDisposable {
  readonly process: ManagedProcess;
  send(line: string): void;
  /** The next line; rejects when the fixture ends without one. */
  nextLine(): Promise<string>;
}

export interface TestGuest extends AsyncDisposable {
  readonly namespace: string;
}

/** Why this machine cannot run a test host, or false. */
export async function noTestHost(): Promise<string | false> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux";
  for (const tool of ["unshare", "nsenter", "ip", "tc", "iptables", "flock", "qemu-system-x86_64"]) {
    if ((await findProgram(tool, { path: PATH })) === undefined) return `needs "${tool}"`;
  }
  for (const path of ["/usr/lib/cni/ptp", "/usr/lib/cni/host-local", "/dev/net/tun"]) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (!isThere) return `needs "${path}"`;
  }
  return execute("unshare", ["-m", "-n", "true"]).then(
    () => false,
    () => "this machine does not let us make network namespaces",
  );
}

export async function startTestHost(): Promise<TestHost> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "nex-test-host-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const holder = await startProcess({
    program: "unshare",
    argv: ["-m", "-n", "--propagation", "private", "sh", "-c", SET_UP],
    environment: { PATH },
    stdio: ["pipe", "pipe", "inherit"],
  });
  stack.use(holder);
  const { stdout } = holder.child;
  if (stdout === null) throw new Error("The test host has no output");
  await once(stdout, "data");
  const prefix = ["nsenter", "--target", String(holder.pid), "--net", "--mount", "--"];
  const run = async (script: string): Promise<string> => {
    const [program, ...argv] = [...prefix, "sh", "-ec", script];
    return (await execute(program, argv, { env: { PATH } })).stdout;
  };
  const start = async (
    command: readonly string[],
    { namespace = "", stderr = "inherit" }: StartOptions = {},
  ): Promise<ManagedProcess> => {
    const inside = namespace === "" ? [] : ["ip", "netns", "exec", namespace];
    const [program = "", ...argv] = [...prefix, ...inside, ...command];
    return startProcess({ program, argv, environment: { PATH }, stdio: ["pipe", "pipe", stderr] });
  };
  await run(`ip netns add ${OUTSIDE.namespace}
ip link add out0 type veth peer name eth0 netns ${OUTSIDE.namespace}
ip address add ${OUTSIDE.hostAddress}/24 dev out0; ip link set out0 up
ip -n ${OUTSIDE.namespace} address add ${OUTSIDE.address}/24 dev eth0
ip -n ${OUTSIDE.namespace} link set eth0 up; ip -n ${OUTSIDE.namespace} link set lo up`);
  const resources = stack.move();
  let guests = 0;
  return {
    prefix,
    directory,
    run,
    startFixture: async (name, argv, { namespace } = {}) => {
      const file = fileURLToPath(new URL(`../integration/fixtures/${name}.ts`, import.meta.url));
      return talkTo(
        await start([process.execPath, file, ...argv], namespace === undefined ? {} : { namespace }),
      );
    },
    startGuest: (attachment) => startGuest(attachment, `guest${++guests}`, { run, start }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** The copies of the machine's mounted namespaces go first: they vanish whenever the machine's own do. */
const SET_UP = `set -e
umount --lazy --recursive /run/netns 2>/dev/null || true
mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/lib
mkdir /run/netns; ip link set lo up
echo ready; exec cat`;

const RELAY = "qemu-system-x86_64 -machine none -nodefaults -display none -monitor stdio".split(" ");

interface StartOptions {
  readonly namespace?: string;
  readonly stderr?: "inherit" | "ignore";
}

/** QEMU without a machine joins the tap with another one, which moves into the guest's namespace. */
async function startGuest(
  attachment: AttachmentData,
  name: string,
  {
    run,
    start,
  }: Pick<TestHost, "run"> & {
    start: (command: readonly string[], options: StartOptions) => Promise<ManagedProcess>;
  },
): Promise<TestGuest> {
  const { namespace, tapName, macAddress, address, netmask, gateway } = attachment;
  const tap = (id: string, device: string): string[] => [
    "-netdev",
    `tap,id=${id},ifname=${device},script=no,downscript=no`,
    "-netdev",
    `hubport,id=${id}-port,hubid=0,netdev=${id}`,
  ];
  const relay = await start(
    [...RELAY, ...tap("machine", tapName), ...tap("guest", name)],
    // It says that a hub without a machine is unusual.
    { namespace, stderr: "ignore" },
  );
  if (relay.child.stdout === null) throw new Error("The relay has no output");
  await once(relay.child.stdout, "data");
  relay.child.stdout.resume();
  await run(`ip netns add ${name}
ip -n ${namespace} link set ${name} netns ${name}
ip -n ${name} link set ${name} address ${macAddress} up; ip -n ${name} link set lo up
ip -n ${name} address add ${address}/${netmask} dev ${name}
ip -n ${name} route add default via ${gateway}`);
  return {
    namespace: name,
    [Symbol.asyncDispose]: async () => {
      await relay.stop({ graceMs: 0 });
      await run(`if [ -e /run/netns/${name} ]; then ip netns delete ${name}; fi`);
    },
  };
}

function talkTo(running: ManagedProcess): FixtureProcess {
  const { stdin, stdout } = running.child;
  if (stdin === null || stdout === null) throw new Error("The fixture has no pipes");
  stdin.on("error", () => {});
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    process: running,
    send: (line) => void stdin.write(`${line}\n`),
    nextLine: async () => {
      const next = await lines.next();
      if (next.done === true) throw new Error("The fixture ended");
      return next.value;
    },
    [Symbol.asyncDispose]: async () => {
      await running.stop();
    },
  };
}
