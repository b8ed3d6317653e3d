/**
 * Runs CNI plugins as the specification says (https://www.cni.dev/docs/spec/): parameters in the environment,
 * configuration on standard input, result or error on standard output.
 *
 * N1 an ADD runs the plugins in order, each with the result of the one before; a DEL runs them in reverse
 * N2 a DEL goes on after a plugin has failed: each releases what it can
 */
import { delimiter } from "node:path";
import { z } from "zod";
import { errorText } from "../../lib/errors.ts";
import { findProgram, SYSTEM_PATH } from "../../lib/find-program.ts";
import { exitText, lastLines, runProgram } from "../../lib/run-program.ts";
import { TAP_PLUGIN } from "./conflist.ts";
import type { Conflist } from "./conflist.ts";
import { toolLimit } from "./host-tools.ts";

/** One container, in the words of CNI, and how it is attached. */
export interface CniAttachment {
  readonly list: Conflist;
  readonly containerId: string;
  /** Path of the network namespace; empty once it is gone (DEL only). */
  readonly namespacePath: string;
  readonly interfaceName: string;
  readonly binPath: readonly string[];
}

/** Where packages put plugins, looked at after the configured directories. */
export const PLUGIN_DIRECTORIES = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

/** Path of a plugin, undefined when there is none. */
export function findPlugin(type: string, binPath: readonly string[]): Promise<string | undefined> {
  return findProgram(type, { path: searchPath(binPath) });
}

/** Runs ADD (N1). The tap plugin is left out where it is missing; everything else must be there. */
export async function addToNetwork(attachment: CniAttachment, signal: AbortSignal): Promise<unknown> {
  let result: unknown;
  for (const plugin of attachment.list.plugins) {
    if (plugin.type === TAP_PLUGIN && (await findPlugin(plugin.type, attachment.binPath)) === undefined) {
      continue;
    }
    const output = await runPlugin(attachment, { command: "ADD", plugin, result, signal });
    try {
      result = JSON.parse(output);
    } catch (cause) {
      throw new Error(`the result of CNI plugin "${plugin.type}" is no JSON`, { cause });
    }
  }
  return result;
}

/**
 * Runs DEL (N2); `result` is that of the ADD, if it came so far.
 *
 * @throws {Error} with what the plugins said that failed
 */
export async function removeFromNetwork(attachment: CniAttachment, result: unknown): Promise<void> {
  const failures: string[] = [];
  for (const plugin of attachment.list.plugins.toReversed()) {
    if (plugin.type === TAP_PLUGIN) {
      // What it made is gone with the namespace, which outlives nothing here.
      if (attachment.namespacePath === "") continue;
      if ((await findPlugin(plugin.type, attachment.binPath)) === undefined) continue;
    }
    try {
      await runPlugin(attachment, { command: "DEL", plugin, result });
    } catch (error) {
      failures.push(errorText(error));
    }
  }
  if (failures.length > 0) throw new Error(failures.join("; "));
}

interface PluginCall {
  readonly command: "ADD" | "DEL";
  readonly plugin: Conflist["plugins"][number];
  readonly result: unknown;
  readonly signal?: AbortSignal;
}

async function runPlugin(attachment: CniAttachment, call: PluginCall): Promise<string> {
  const { list, containerId, namespacePath, interfaceName, binPath } = attachment;
  const { command, plugin, result } = call;
  const program = await findPlugin(plugin.type, binPath);
  if (program === undefined) throw new Error(`there is no CNI plugin "${plugin.type}"`);
  const configuration = { ...plugin, name: list.name, cniVersion: list.cniVersion };
  const { exit, output, errors } = await runProgram({
    program,
    argv: [],
    environment: {
      PATH: SYSTEM_PATH,
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: namespacePath,
      CNI_IFNAME: interfaceName,
      CNI_PATH: searchPath(binPath),
    },
    input: JSON.stringify(result === undefined ? configuration : { ...configuration, prevResult: result }),
    signal: toolLimit(call.signal),
  });
  if (exit.kind === "exited" && exit.code === 0) return output;
  const reason = pluginError(output) ?? `${exitText(exit)} ${lastLines(errors)}`.trimEnd();
  throw new Error(`CNI plugin "${plugin.type}" failed at ${command}: ${reason}`);
}

const PluginError = z.object({ msg: z.string(), details: z.string().optional() });

function pluginError(output: string): string | undefined {
  try {
    const { msg, details } = PluginError.parse(JSON.parse(output));
    return [msg, details ?? ""].filter((text) => text !== "").join(": ");
  } catch {
    return undefined;
  }
}

function searchPath(binPath: readonly string[]): string {
  return [...binPath, ...PLUGIN_DIRECTORIES].join(delimiter);
}
