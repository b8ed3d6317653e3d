/** Names the process that made something that outlives processes, so that its leftovers are found later. */
import { readFile, readlink } from "node:fs/promises";
import * as z from "zod";
import { isRunning, readProcess } from "./process-table.ts";

/** A process, also after its end, after a reboot and seen from other containers. Linux only. */
export const ProcessOwner = z.object({
  bootId: z.string(),
  /** Process ids mean something only inside their name space. */
  pidNamespace: z.string(),
  pid: z.number().int(),
  /** Clock ticks since boot. */
  startTime: z.number(),
});
export type ProcessOwner = z.infer<typeof ProcessOwner>;

/** What has become of an owner. `unknown`: it lives, or lived, where this process cannot look. */
export type OwnerState = "running" | "gone" | "unknown";

/** This process. */
export async function currentOwner(): Promise<ProcessOwner> {
  const entry = await readProcess(process.pid);
  return {
    bootId: await readBootId(),
    pidNamespace: await readlink("/proc/self/ns/pid"),
    pid: process.pid,
    startTime: entry?.startTime ?? 0,
  };
}

export async function ownerState(owner: ProcessOwner): Promise<OwnerState> {
  if (owner.bootId !== (await readBootId())) return "gone";
  if (owner.pidNamespace !== (await readlink("/proc/self/ns/pid"))) return "unknown";
  return (await isRunning(owner)) ? "running" : "gone";
}

async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "latin1")).trim();
}
