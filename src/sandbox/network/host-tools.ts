import { z } from "zod";
import { NexError } from "../../lib/errors.ts";
import { SYSTEM_PATH } from "../../lib/find-program.ts";
import { exitText, lastLines, runProgram } from "../../lib/run-program.ts";

/** Longest run of one program; they end within milliseconds unless the machine is in trouble. */
const TOOL_TIMEOUT_MS = 30_000;

/** The limit of one run, which `signal` may end earlier. */
export function toolLimit(signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(TOOL_TIMEOUT_MS);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

/**
 * Runs a program of the system (`ip`, `tc`, `iptables-restore`) and returns what it wrote.
 *
 * @throws {NexError} `TOOL_FAILED`, `PROCESS_START_FAILED`
 */
export async function runHostTool(
  command: readonly string[],
  options: { readonly input?: string; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const [program = "", ...argv] = command;
  const { exit, output, errors } = await runProgram({
    program,
    argv,
    environment: { PATH: SYSTEM_PATH },
    ...(options.input === undefined ? {} : { input: options.input }),
    signal: toolLimit(options.signal),
  });
  if (exit.kind === "exited" && exit.code === 0) return output;
  throw new NexError({
    code: "TOOL_FAILED",
    message: `"${command.join(" ")}" ended with ${exitText(exit)}: ${lastLines(errors)}`,
  });
}

const LinkList = z.array(z.object({ mtu: z.number().int() })).length(1);

/** The largest packet, in bytes, of an interface in a namespace. */
export async function linkMtu(
  { namespace, interfaceName }: { readonly namespace: string; readonly interfaceName: string },
  signal: AbortSignal,
): Promise<number> {
  const command = ["ip", "-n", namespace, "-json", "link", "show", "dev", interfaceName];
  const [{ mtu } = { mtu: 1500 }] = LinkList.parse(JSON.parse(await runHostTool(command, { signal })));
  return mtu;
}
