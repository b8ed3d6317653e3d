import { bootProbe } from "./boot-probe.ts";
import type { BootProbe } from "./boot-probe.ts";
import { canOpenKvm, KVM } from "./kvm.ts";
import { readVerdict, writeVerdict } from "./verdict-cache.ts";
import type { CachedVerdict, VerdictSubject } from "./verdict-cache.ts";

/** Which accelerator this host has, and how that is known. */
export type AcceleratorVerdict = Pick<CachedVerdict, "accelerator" | "reason">;

export interface AcceleratorProbeOptions extends VerdictSubject {
  /** How long a guest may take with KVM. Default 5000; without KVM a guest takes longer, but is not tried. */
  readonly timeoutMs?: number;
  /** Where the verdict is kept, for the same QEMU, images, processor and boot of the host. Default: nowhere. */
  readonly cacheFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 5000;
const EMULATED_TIMEOUT_MS = 90_000;

/** Boots a guest with KVM to see whether that works here. Software emulation is taken to work always. */
export async function probeAccelerator(options: AcceleratorProbeOptions): Promise<AcceleratorVerdict> {
  const known = await knownVerdict(options);
  if (known !== undefined) return known;
  const verdict = await judge(options);
  await keep(options, verdict);
  return verdict;
}

/** What earlier probes have found, without a boot. */
export async function knownVerdict(options: AcceleratorProbeOptions): Promise<CachedVerdict | undefined> {
  return options.cacheFile === undefined ? undefined : readVerdict(options.cacheFile, options);
}

/** Boots a guest by software emulation, unless one has booted before; `verdict` is kept together with that. */
export async function probeEmulation(
  options: AcceleratorProbeOptions,
  verdict: AcceleratorVerdict,
): Promise<BootProbe> {
  if ((await knownVerdict(options))?.emulationBoots === true) return { kind: "booted" };
  const { timeoutMs = EMULATED_TIMEOUT_MS } = options;
  const probe = await bootProbe({ ...options, accelerator: "tcg", timeoutMs });
  if (probe.kind === "booted") await keep(options, { ...verdict, emulationBoots: true });
  return probe;
}

async function judge(options: AcceleratorProbeOptions): Promise<AcceleratorVerdict> {
  if (!(await canOpenKvm())) return { accelerator: "tcg", reason: `cannot open "${KVM}"` };
  const { timeoutMs = TIMEOUT_MS } = options;
  const probe = await bootProbe({ ...options, accelerator: "kvm", timeoutMs });
  return probe.kind === "booted"
    ? { accelerator: "kvm", reason: "a guest booted with KVM" }
    : { accelerator: "tcg", reason: `KVM does not work here: ${probe.reason}` };
}

async function keep(options: AcceleratorProbeOptions, verdict: CachedVerdict): Promise<void> {
  if (options.cacheFile !== undefined) await writeVerdict(options.cacheFile, options, verdict);
}
