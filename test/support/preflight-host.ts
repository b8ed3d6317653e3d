/** A host for `nex node preflight`: directories of its own, a mirror, and stand-ins for QEMU and apt-get. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { findProgram } from "../../src/lib/find-program.ts";
import { findPlugin } from "../../src/sandbox/network/cni.ts";
import { SYSTEM_PATH } from "../../src/lib/find-program.ts";
import { elfKernel } from "./kernel-file.ts";
import { runNex, startNex } from "./run-nex.ts";
import type { NexResult, RunNexOptions, RunningNex } from "./run-nex.ts";
import { startHttpPeer } from "./start-http-peer.ts";
import type { HttpPeer, PeerRequest } from "./start-http-peer.ts";

/** What the stand-in for QEMU does: a real one would need images that boot. */
export type QemuBehaviour =
  | "boots with KVM"
  | "boots with KVM at the second try"
  | "boots without KVM"
  | "does not boot";

/** What the stand-in for Firecracker does with a configuration file. */
export type FirecrackerBehaviour = "boots" | "does not boot";

export interface PreflightHost extends AsyncDisposable {
  readonly directory: string;
  readonly mirror: HttpPeer;
  /** Path below the directory. */
  readonly path: (...names: string[]) => string;
  /** Runs `nex node preflight` with this host's configuration. */
  readonly preflight: (args?: readonly string[], options?: RunNexOptions) => Promise<NexResult>;
  readonly start: (args: readonly string[]) => Promise<RunningNex>;
  /** Accelerators of the guests that were started, `firecracker` for those of Firecracker. */
  readonly boots: () => Promise<readonly string[]>;
  readonly configure: (change: Readonly<Record<string, unknown>>) => void;
  /** Mirrors of these only, for `configure`. */
  readonly downloads: (...names: readonly DownloadName[]) => object;
}

/** What tests of preflight need and do not install; false when all of it is there. */
export async function whatPreflightMisses(): Promise<string | false> {
  if (process.arch !== "x64") return "the stand-in for QEMU is one for x64";
  for (const name of ["ip", "tc", "iptables", "flock"]) {
    if ((await findProgram(name, { path: SYSTEM_PATH })) === undefined) return `${name} is not installed`;
  }
  for (const name of ["host-local", "ptp"]) {
    if ((await findPlugin(name, [])) === undefined) return `the CNI plugin ${name} is not installed`;
  }
  return false;
}

type DownloadName = "kernel" | "initrd" | "rootfs" | "tc_redirect_tap";

/** The files of the mirror. */
export const MIRRORED = {
  kernel: elfKernel(),
  initrd: Buffer.from("an initrd"),
  rootfs: Buffer.from("a root file system"),
};

export type MirrorAnswer = (request: PeerRequest, response: ServerResponse) => void;

/** `answers` go before the files of the mirror. */
export async function makePreflightHost(options: {
  /** Default "boots without KVM"; null: there is none. */
  readonly qemu?: QemuBehaviour | null;
  /** Default: there is none. */
  readonly firecracker?: FirecrackerBehaviour;
  readonly answers?: Readonly<Record<string, MirrorAnswer>>;
}): Promise<PreflightHost> {
  const { qemu = "boots without KVM", firecracker, answers = {} } = options;
  const directory = await mkdtemp(join(tmpdir(), "nex-test-preflight-"));
  const path = (...names: string[]): string => join(directory, ...names);
  for (const name of ["bin", "home", "pack"]) mkdirSync(path(name));
  if (qemu !== null) program(path("bin", "qemu-system-x86_64"), qemuScript(path("boots"), qemu));
  if (firecracker !== undefined) {
    program(path("bin", "firecracker"), firecrackerScript(path("boots"), firecracker));
  }
  program(path("bin", "apt-get"), `echo "no packages in this test" >&2; exit 100`);
  const files = mirrorFiles(path("pack"));
  const mirror = await startHttpPeer({
    answer: (request, response) => {
      const answer = answers[request.url];
      const file = files[request.url];
      if (answer !== undefined) answer(request, response);
      else if (file === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "content-length": file.length }).end(file);
    },
  });
  const downloads = {
    kernel: { url: `${mirror.origin}/vmlinux`, sha256: sha256(MIRRORED.kernel) },
    initrd: { url: `${mirror.origin}/initrd`, sha256: sha256(MIRRORED.initrd) },
    rootfs: { url: `${mirror.origin}/rootfs.ext4.gz` },
    tc_redirect_tap: { url: `${mirror.origin}/plugins.tgz`, member: "./tc-redirect-tap" },
  };
  const configuration = {
    default_resource_dir: path("resources"),
    sandbox: "qemu",
    state_dir: path("state"),
    bin_path: [path("bin")],
    cni: { bin_path: [path("cni")], conf_path: path("conf") },
    pid_filepath: path("nex.pid"),
    downloads,
  };
  const configure = (change: Readonly<Record<string, unknown>>): void =>
    writeFileSync(path("node.json"), JSON.stringify({ ...configuration, ...change }));
  configure({});
  const env = { HOME: path("home"), PATH: `${path("bin")}:${process.env["PATH"] ?? ""}` };
  const argv = (args: readonly string[]): string[] => [
    "node",
    "preflight",
    `--config=${path("node.json")}`,
    ...args,
  ];
  return {
    directory,
    mirror,
    path,
    configure,
    downloads: (...names) => Object.fromEntries(names.map((name) => [name, downloads[name]])),
    preflight: (args = [], more = {}) =>
      runNex(argv(args), { ...more, timeoutMs: more.timeoutMs ?? 60_000, env: { ...env, ...more.env } }),
    start: (args) => startNex(argv(args), { env }),
    boots: async () =>
      (await readFile(path("boots"), "utf8").catch(() => "")).split("\n").filter((line) => line !== ""),
    [Symbol.asyncDispose]: async () => {
      await mirror[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function mirrorFiles(directory: string): Readonly<Record<string, Buffer>> {
  program(join(directory, "tc-redirect-tap"), "echo a plugin");
  const plugins = execFileSync("tar", ["-czf", "-", "-C", directory, "./tc-redirect-tap"]);
  const rootfs = gzipSync(MIRRORED.rootfs);
  const sum = (bytes: Buffer, name: string): Buffer => Buffer.from(`${sha256(bytes)}  ${name}\n`);
  return {
    "/vmlinux": MIRRORED.kernel,
    "/initrd": MIRRORED.initrd,
    "/rootfs.ext4.gz": rootfs,
    "/rootfs.ext4.gz.sha256": sum(rootfs, "rootfs.ext4.gz"),
    "/plugins.tgz": plugins,
    "/plugins.tgz.sha256": sum(plugins, "plugins.tgz"),
  };
}

function program(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** It has no environment, and its control connection at file descriptor 3. */
function qemuScript(boots: string, behaviour: QemuBehaviour): string {
  // A guest takes its time; QEMU's answer has to arrive before its end.
  const boot = `echo '{"return": {"running": true}}' >&3; echo "nex-probe: ok"; /bin/sleep 0.3; exit 0`;
  const fail = `echo "Kernel panic - not syncing"; echo "no init" >&2; exit 1`;
  const withKvm = {
    "boots with KVM": boot,
    "boots with KVM at the second try": `[ "$(/bin/grep -c kvm ${boots})" -gt 1 ] || { ${fail}; }; ${boot}`,
    "boots without KVM": fail,
    "does not boot": fail,
  }[behaviour];
  return `case " $* " in
  *" -accel kvm "*) echo kvm >> ${boots}; ${withKvm} ;;
  *) echo tcg >> ${boots}; ${behaviour === "does not boot" ? fail : boot} ;;
esac`;
}

/** Quick, because the probe has little time; `fake-firecracker-boot.ts` is the strict one. */
function firecrackerScript(boots: string, behaviour: FirecrackerBehaviour): string {
  const fail = `echo "Error creating KVM object" >&2; exit 1`;
  return `echo firecracker >> ${boots}
[ "$1 $2" = "--no-api --config-file" ] || exit 153
case "$(/bin/cat "$3")" in *nex.probe*) ;; *) exit 152 ;; esac
${behaviour === "boots" ? `echo "nex-probe: ok"` : fail}`;
}
