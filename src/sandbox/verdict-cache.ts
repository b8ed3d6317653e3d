import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { dirname } from "node:path";
import type { z } from "zod";
import type { KernelHost } from "./kernel/kernel-problem.ts";
import { canOpenKvm } from "./kvm.ts";
import type { MachineImages } from "./virtual-machine.ts";

/** What a verdict depends on. */
export interface VerdictSubject {
  /** Absolute path of the monitor. */
  readonly program: string;
  readonly images: MachineImages;
  readonly machine: KernelHost;
}

/** The verdict in the file; undefined when it is about something else, or there is no file. */
export async function readVerdict<Verdict>(
  cacheFile: string | undefined,
  subject: VerdictSubject,
  schema: z.ZodType<Verdict>,
): Promise<Verdict | undefined> {
  if (cacheFile === undefined) return undefined;
  try {
    const { key, ...verdict } = JSON.parse(await readFile(cacheFile, "utf8")) as Record<string, unknown>;
    return key === (await identity(subject)) ? schema.parse(verdict) : undefined;
  } catch {
    return undefined;
  }
}

/** A verdict that cannot be kept is found out again next time. */
export async function writeVerdict(
  cacheFile: string | undefined,
  subject: VerdictSubject,
  verdict: object,
): Promise<void> {
  if (cacheFile === undefined) return;
  try {
    await mkdir(dirname(cacheFile), { recursive: true });
    const temporary = `${cacheFile}.${process.pid}`;
    const key = await identity(subject);
    await writeFile(temporary, `${JSON.stringify({ key, ...verdict })}\n`, { mode: 0o600 });
    await rename(temporary, cacheFile);
  } catch {
    // As said.
  }
}

/** Modules of the host's kernel may be other ones after a reboot. */
async function identity({ program, images, machine }: VerdictSubject): Promise<string> {
  const { kernel, rootfs } = images;
  const files = [program, kernel.path, rootfs, ...(kernel.initrd === undefined ? [] : [kernel.initrd])];
  const parts = [
    machine,
    ...(await Promise.all(files.map(fileIdentity))),
    release(),
    cpus()[0]?.model ?? "",
    await canOpenKvm(),
    await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => ""),
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function fileIdentity(path: string): Promise<string> {
  const entry = await stat(path).catch(() => undefined);
  return `${path} ${entry?.size} ${entry?.mtimeMs}`;
}
