import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { dirname } from "node:path";
import type { MachineImages } from "../virtual-machine.ts";
import { bootProbe } from "./boot-probe.ts";
import type { Accelerator, MachineType } from "./qemu-arguments.ts";

/** Which accelerator this host has, and how that is known. */
export interface AcceleratorVerdict {
  readonly accelerator: Accelerator;
  readonly reason: string;
}

export interface AcceleratorProbeOptions {
  /** Absolute path of QEMU. */
  readonly program: string;
  /** Of `bootProbe`. */
  readonly images: MachineImages;
  readonly machine: MachineType;
  /** How long a guest may take with KVM. Default 5000; without KVM a guest takes longer, but is not tried. */
  readonly timeoutMs?: number;
  /** Where the verdict is kept, for the same QEMU, images, processor and boot of the host. Default: nowhere. */
  readonly cacheFile?: string | undefined;
  readonly signal?: AbortSignal;
}

const KVM = "/dev/kvm";
const TIMEOUT_MS = 5000;

/** Boots a guest with KVM to see whether that works here. Software emulation always works. */
export async function probeAccelerator(options: AcceleratorProbeOptions): Promise<AcceleratorVerdict> {
  const { cacheFile } = options;
  const key = cacheFile === undefined ? "" : await identity(options);
  const known = cacheFile === undefined ? undefined : await readVerdict(cacheFile, key);
  if (known !== undefined) return known;
  const verdict = await judge(options);
  if (cacheFile !== undefined) await writeVerdict(cacheFile, { key, ...verdict });
  return verdict;
}

async function judge(options: AcceleratorProbeOptions): Promise<AcceleratorVerdict> {
  try {
    await access(KVM, constants.R_OK | constants.W_OK);
  } catch {
    return { accelerator: "tcg", reason: `cannot open "${KVM}"` };
  }
  const { timeoutMs = TIMEOUT_MS } = options;
  const probe = await bootProbe({ ...options, accelerator: "kvm", timeoutMs });
  return probe.kind === "booted"
    ? { accelerator: "kvm", reason: "a guest booted with KVM" }
    : { accelerator: "tcg", reason: `KVM does not work here: ${probe.reason}` };
}

/** What the verdict depends on. Modules of the host's kernel may be other ones after a reboot. */
async function identity({ program, images, machine }: AcceleratorProbeOptions): Promise<string> {
  const { kernel, rootfs } = images;
  const files = [program, kernel.path, rootfs, ...(kernel.initrd === undefined ? [] : [kernel.initrd])];
  const parts = [
    machine,
    ...(await Promise.all(files.map(fileIdentity))),
    release(),
    cpus()[0]?.model ?? "",
    await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => ""),
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function fileIdentity(path: string): Promise<string> {
  const entry = await stat(path).catch(() => undefined);
  return `${path} ${entry?.size} ${entry?.mtimeMs}`;
}

async function readVerdict(cacheFile: string, key: string): Promise<AcceleratorVerdict | undefined> {
  try {
    const cached = JSON.parse(await readFile(cacheFile, "utf8")) as Record<string, unknown>;
    const { accelerator, reason } = cached;
    if (cached["key"] !== key || typeof reason !== "string") return undefined;
    return accelerator === "kvm" || accelerator === "tcg" ? { accelerator, reason } : undefined;
  } catch {
    return undefined;
  }
}

/** A verdict that cannot be kept is found out again next time. */
async function writeVerdict(cacheFile: string, verdict: object): Promise<void> {
  try {
    await mkdir(dirname(cacheFile), { recursive: true });
    const temporary = `${cacheFile}.${process.pid}`;
    await writeFile(temporary, `${JSON.stringify(verdict)}\n`, { mode: 0o600 });
    await rename(temporary, cacheFile);
  } catch {
    // As said.
  }
}
