import { tmpdir } from "node:os";
import { errorText, NexError } from "../lib/errors.ts";
import type { ManagedProcess } from "../lib/managed-process.ts";
import { makeTemporaryDirectory } from "../lib/temporary-directory.ts";
import { limitOutput } from "./limited-output.ts";
import type { MachineParts } from "./machine-monitor.ts";
import { endText } from "./while-running.ts";

/** Whether a guest booted. */
export type BootProbe =
  | { readonly kind: "booted" }
  /** `started`: the monitor was, and so had its say. `lastLines`: of the console. */
  | {
      readonly kind: "failed";
      readonly started: boolean;
      readonly reason: string;
      readonly lastLines: readonly string[];
    };

/** The kernel argument of a guest that is to say `nex-probe: ok` and to restart, which ends its monitor. */
export const PROBE_ARGUMENT = "nex.probe";
/** What such a guest gets. */
export const PROBE_RESOURCES = { vcpuCount: 1, memoryMiB: 128 } as const;

/** What the guest is started in: a directory of its own, no network. */
export type ProbeParts = Omit<MachineParts, "spec" | "network">;

const OK = "nex-probe: ok";
const LAST_LINES = 10;

/**
 * Boots a guest with {@link PROBE_ARGUMENT}; `start` gives its monitor's process. Opening /dev/kvm says nothing: there are
 * hosts where that works and guests hang.
 */
export async function bootProbe(
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  start: (parts: ProbeParts) => Promise<ManagedProcess>,
): Promise<BootProbe> {
  const { timeoutMs } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  let saidOk = false;
  const lastLines: string[] = [];
  const output = limitOutput(({ line }) => {
    saidOk ||= line.includes(OK);
    if (line.trim() !== "") lastLines.push(line.trimEnd());
    if (lastLines.length > LAST_LINES) lastLines.shift();
  });
  const stack = new AsyncDisposableStack();
  let started = true;
  const end = await runGuest({ signal, onOutput: output.take, stack }, start).catch((error: unknown) => {
    started = !isOfHost(error);
    return errorText(error);
  });
  // Also hands on the rest of the output.
  await stack.disposeAsync();
  options.signal?.throwIfAborted();
  if (end === GUEST_LEFT && saidOk) return { kind: "booted" };
  const how = timeout.aborted ? `no boot and restart within ${timeoutMs} ms` : end;
  const words = output.lastWords().at(-1) ?? lastLines.at(-1) ?? "";
  return { kind: "failed", started, reason: words === "" ? how : `${how} (${words})`, lastLines };
}

/** Whether the failure is one of files or processes, and tells nothing about the monitor. */
function isOfHost(error: unknown): boolean {
  if (error instanceof NexError) return error.code === "PROCESS_START_FAILED";
  return error instanceof Error && "errno" in error;
}

const GUEST_LEFT = "the guest left without a word";

/** Resolves with how the guest ended. */
async function runGuest(
  parts: Omit<ProbeParts, "directory">,
  start: (parts: ProbeParts) => Promise<ManagedProcess>,
): Promise<string> {
  const { signal, stack } = parts;
  const { path } = stack.use(await makeTemporaryDirectory({ parent: tmpdir(), prefix: "nex-probe" }));
  const monitor = await start({ ...parts, directory: path });
  signal.throwIfAborted();
  signal.addEventListener("abort", () => monitor.signal("SIGKILL"), { once: true });
  const exit = await monitor.exit;
  return exit.kind === "exited" && exit.code === 0 ? GUEST_LEFT : endText(exit);
}
