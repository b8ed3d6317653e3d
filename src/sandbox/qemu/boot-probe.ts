import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorText } from "../../lib/errors.ts";
import { limitOutput } from "../limited-output.ts";
import type { MachineImages } from "../virtual-machine.ts";
import type { Accelerator, MachineType } from "./qemu-arguments.ts";
import { startQemu } from "./start-qemu.ts";

export interface BootProbeParts {
  /** Absolute path of QEMU. */
  readonly program: string;
  /** Their guest understands the kernel argument `nex.probe`: it says `nex-probe: ok` and powers off. */
  readonly images: MachineImages;
  readonly machine: MachineType;
  readonly accelerator: Accelerator;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Whether a guest booted. */
export type BootProbe =
  | { readonly kind: "booted" }
  /** `lastLines`: of the console. */
  | { readonly kind: "failed"; readonly reason: string; readonly lastLines: readonly string[] };

const OK = "nex-probe: ok";
const ENDED = "a guest ended without a word";
const MEMORY_MIB = 128;
const LAST_LINES = 10;

/**
 * Boots a guest without a network that is to say that it runs and to power off, within the time. Opening /dev/kvm says
 * nothing: there are hosts where that works and guests hang.
 */
export async function bootProbe(parts: BootProbeParts): Promise<BootProbe> {
  const { program, images, machine, accelerator, timeoutMs } = parts;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = parts.signal === undefined ? timeout : AbortSignal.any([parts.signal, timeout]);
  let saidOk = false;
  const lastLines: string[] = [];
  const output = limitOutput(({ line }) => {
    saidOk ||= line.includes(OK);
    if (line.trim() !== "") lastLines.push(line.trimEnd());
    if (lastLines.length > LAST_LINES) lastLines.shift();
  });
  const directory = await mkdtemp(join(tmpdir(), "nex-probe-"));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  const outcome = await bootAndWait(stack).catch((error: unknown) => errorText(error));
  await stack.disposeAsync();
  parts.signal?.throwIfAborted();
  if (outcome === ENDED && saidOk) return { kind: "booted" };
  const how = timeout.aborted ? `a guest did not boot and power off within ${timeoutMs} ms` : outcome;
  const words = output.lastWords().at(-1) ?? lastLines.at(-1) ?? "";
  return { kind: "failed", reason: `${how}${words === "" ? "" : ` (${words})`}`, lastLines };

  async function bootAndWait(resources: AsyncDisposableStack): Promise<string> {
    const qemu = await startQemu({
      program,
      machine: {
        name: "probe",
        images,
        machine,
        accelerator,
        resources: { vcpuCount: 1, memoryMiB: MEMORY_MIB },
        bootArguments: ["nex.probe"],
      },
      directory,
      signal,
      onOutput: output.take,
      stack: resources,
    });
    const waiting = new AbortController();
    const giveUp = delay(timeoutMs, undefined, { signal: AbortSignal.any([signal, waiting.signal]) });
    const exit = await Promise.race([qemu.exit, giveUp.catch(() => {})]);
    waiting.abort();
    if (exit === undefined) return "a guest hangs";
    if (exit.kind !== "exited") return "QEMU was killed";
    return exit.code === 0 ? ENDED : `a guest ended QEMU with exit code ${exit.code}`;
  }
}
