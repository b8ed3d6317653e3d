import { z } from "zod";
import { bootProbe, PROBE_ARGUMENT, PROBE_RESOURCES } from "../boot-probe.ts";
import type { BootProbe } from "../boot-probe.ts";
import { canOpenKvm, KVM } from "../kvm.ts";
import { readVerdict, writeVerdict } from "../verdict-cache.ts";
import type { VerdictSubject } from "../verdict-cache.ts";
import type { Accelerator, MachineType } from "./qemu-arguments.ts";
import { startQemu } from "./start-qemu.ts";

/** What guests have shown about this host. */
const CachedVerdict = z.object({
  accelerator: z.enum(["kvm", "tcg"]),
  reason: z.string(),
  /** Whether a guest has booted with software emulation. */
  emulationBoots: z.boolean().exactOptional(),
});
export type CachedVerdict = Readonly<z.infer<typeof CachedVerdict>>;

/** Which accelerator this host has, and how that is known. */
export type AcceleratorVerdict = Pick<CachedVerdict, "accelerator" | "reason">;

export interface AcceleratorProbeOptions extends VerdictSubject {
  readonly machine: MachineType;
  /** How long a guest may take with KVM. Default 5000; without KVM a guest takes longer, but is not tried. */
  readonly timeoutMs?: number;
  /** Where the verdict is kept, for the same QEMU, images, processor and boot of the host. Default: nowhere. */
  readonly cacheFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 5000;
const EMULATED_TIMEOUT_MS = 90_000;

/**
 * Boots a guest with KVM to see whether that works here: one that did not is tried once more. Software emulation is taken to
 * work always.
 */
export async function probeAccelerator(options: AcceleratorProbeOptions): Promise<AcceleratorVerdict> {
  const known = await knownVerdict(options);
  if (known !== undefined) return known;
  if (!(await canOpenKvm())) {
    const verdict = { accelerator: "tcg", reason: `cannot open "${KVM}"` } as const;
    await keep(options, verdict);
    return verdict;
  }
  const { timeoutMs = TIMEOUT_MS } = options;
  const boot = async (): Promise<BootProbe> => bootGuest({ ...options, timeoutMs }, "kvm");
  let probe = await boot();
  // The host may have been busy with something else.
  if (probe.kind === "failed") probe = await boot();
  const verdict: AcceleratorVerdict =
    probe.kind === "booted"
      ? { accelerator: "kvm", reason: "a guest booted with KVM" }
      : { accelerator: "tcg", reason: `KVM does not work here: ${probe.reason}` };
  if (probe.kind === "booted" || probe.started) await keep(options, verdict);
  return verdict;
}

/** What earlier probes have found, without a boot. */
export async function knownVerdict(options: AcceleratorProbeOptions): Promise<CachedVerdict | undefined> {
  return readVerdict(options.cacheFile, options, CachedVerdict);
}

/** Boots a guest by software emulation, unless one has booted before; `verdict` is kept together with that. */
export async function probeEmulation(
  options: AcceleratorProbeOptions,
  verdict: AcceleratorVerdict,
): Promise<BootProbe> {
  if ((await knownVerdict(options))?.emulationBoots === true) return { kind: "booted" };
  const { timeoutMs = EMULATED_TIMEOUT_MS } = options;
  const probe = await bootGuest({ ...options, timeoutMs }, "tcg");
  if (probe.kind === "booted") await keep(options, { ...verdict, emulationBoots: true });
  return probe;
}

async function keep(options: AcceleratorProbeOptions, verdict: CachedVerdict): Promise<void> {
  await writeVerdict(options.cacheFile, options, verdict);
}

/** Boots a guest without a network that is to say that it runs and to restart, within the time. */
export async function bootGuest(
  options: VerdictSubject & {
    readonly machine: MachineType;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal | undefined;
  },
  accelerator: Accelerator,
): Promise<BootProbe> {
  const { program, images, machine } = options;
  const guest = { name: "probe", images, machine, accelerator, bootArguments: [PROBE_ARGUMENT] };
  return bootProbe(options, async (parts) =>
    startQemu({ ...parts, program, machine: { ...guest, resources: PROBE_RESOURCES } }),
  );
}
