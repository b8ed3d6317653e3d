import { tmpdir } from "node:os";
import { errorText } from "../../lib/errors.ts";
import { makeTemporaryDirectory } from "../../lib/temporary-directory.ts";
import { limitOutput } from "../limited-output.ts";
import type { SandboxOutput } from "../sandbox.ts";
import type { MachineImages } from "../virtual-machine.ts";
import { endText } from "../while-running.ts";
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
const MEMORY_MIB = 128;
const LAST_LINES = 10;

/**
 * Boots a guest without a network that is to say that it runs and to power off, within the time. Opening /dev/kvm says
 * nothing: there are hosts where that works and guests hang.
 */
export async function bootProbe(parts: BootProbeParts): Promise<BootProbe> {
  const { timeoutMs } = parts;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = parts.signal === undefined ? timeout : AbortSignal.any([parts.signal, timeout]);
  let saidOk = false;
  const lastLines: string[] = [];
  const output = limitOutput(({ line }) => {
    saidOk ||= line.includes(OK);
    if (line.trim() !== "") lastLines.push(line.trimEnd());
    if (lastLines.length > LAST_LINES) lastLines.shift();
  });
  const stack = new AsyncDisposableStack();
  const end = await runGuest({ ...parts, signal, onOutput: output.take, stack }).catch(errorText);
  // Also hands on the rest of the output.
  await stack.disposeAsync();
  parts.signal?.throwIfAborted();
  if (end === GUEST_LEFT && saidOk) return { kind: "booted" };
  const how = timeout.aborted ? `no boot and power-off within ${timeoutMs} ms` : end;
  const words = output.lastWords().at(-1) ?? lastLines.at(-1) ?? "";
  return { kind: "failed", reason: words === "" ? how : `${how} (${words})`, lastLines };
}

const GUEST_LEFT = "the guest left without a word";

/** Resolves with how the guest ended. */
async function runGuest(
  parts: BootProbeParts & {
    readonly signal: AbortSignal;
    readonly onOutput: (output: SandboxOutput) => void;
    readonly stack: AsyncDisposableStack;
  },
): Promise<string> {
  const { program, images, machine, accelerator, signal, onOutput, stack } = parts;
  const { path } = stack.use(await makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-probe" }));
  const resources = { vcpuCount: 1, memoryMiB: MEMORY_MIB };
  const bootArguments = ["nex.probe"];
  const qemu = await startQemu({
    program,
    machine: { name: "probe", images, machine, accelerator, resources, bootArguments },
    directory: path,
    signal,
    onOutput,
    stack,
  });
  signal.throwIfAborted();
  signal.addEventListener("abort", () => qemu.signal("SIGKILL"), { once: true });
  const exit = await qemu.exit;
  return exit.kind === "exited" && exit.code === 0 ? GUEST_LEFT : endText(exit);
}
